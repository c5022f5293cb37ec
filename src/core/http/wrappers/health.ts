import { guard, type Wrapper } from './wrap.js';

/** Answers 200 at a path of its own, whatever the site behind it does: the server lives and takes requests. */
export function answerHealth(path: string): Wrapper {
  const headers = Object.freeze([
    ['Content-Type', 'text/plain; charset=utf-8'],
    ['Cache-Control', 'no-store'],
  ] as const);
  return guard((request) =>
    request.path === path && (request.method === 'GET' || request.method === 'HEAD')
      ? { status: 200, headers, body: 'ok\n' }
      : undefined,
  );
}
