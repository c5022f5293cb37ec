import type { Handler } from '../handler.js';
import type { HttpResponse, IncomingRequest } from '../messages.js';
import type { Wrapper } from './wrap.js';
import { adorn } from './wrap.js';

/** Answers GET and HEAD at one path with a text of its own, whatever the site behind it does there. */
export function answerAt(path: string, type: string, text: () => string | Promise<string>): Wrapper {
  const headers = Object.freeze([
    ['Content-Type', type],
    ['Cache-Control', 'no-store'],
  ] as const);
  const isAsked = ({ path: asked, method }: IncomingRequest): boolean =>
    asked === path && (method === 'GET' || method === 'HEAD');
  const answer = async (): Promise<HttpResponse> => ({ status: 200, headers, body: await text() });
  return (handler) => ({
    // The other abilities stay as they are.
    ...adorn((_request, response) => response)(handler),
    handle: (request: IncomingRequest): ReturnType<Handler['handle']> =>
      isAsked(request) ? answer() : handler.handle(request),
  });
}
