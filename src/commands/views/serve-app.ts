import type { HandlerEvent } from '../../core/handlers/handler-events.js';
import type { PythonEvent } from '../../core/handlers/python/events.js';
import { escapeControls, escapeLine } from '../output/escape.js';
import type { Style } from '../output/style.js';

/** What applications and upstreams behind a server say. */
export type SiteEvent = HandlerEvent | PythonEvent;

/** What an application wrote, as it is to stand on stderr; `undefined` for every other event. */
export function viewOutput(event: SiteEvent): string | undefined {
  if (event.type === 'application-output') return event.line;
  if (event.type !== 'application-log') return undefined;
  const name = viewId(event);
  return `${name}${event.text.replace(/\n$/, '').replaceAll('\n', `\n${name}`)}`;
}

/** `[id] `, for lines about a request that has one. */
function viewId({ requestId }: { readonly requestId?: string }): string {
  return requestId === undefined ? '' : `[${requestId}] `;
}

/** An event of an application or upstream in words. */
export function viewSiteEvent(event: SiteEvent, style: Style): string | undefined {
  switch (event.type) {
    case 'application':
      return viewApplication(event, style);
    case 'application-error':
      return viewFailure(event, style);
    case 'reload':
      return event.ok
        ? style.green(`reloaded (${escapeLine(event.reason)})`)
        : `${style.red('not reloaded:')} ${escapeControls(event.message ?? event.reason)}`;
    case 'upstream':
      return `upstream ${escapeLine(event.url)} is ${event.state} (${escapeLine(event.reason)})`;
    case 'worker':
      return viewWorker(event, style);
    default:
      return undefined;
  }
}

type Of<Type extends SiteEvent['type']> = Extract<SiteEvent, { type: Type }>;

/** What was found, and the exact words to ask for it. */
function viewApplication(event: Of<'application'>, style: Style): string {
  const { target, kind, reason, framework, prefix, equivalent } = event;
  const place = prefix === '' ? '' : ` for ${prefix}`;
  if ('handler' in event) {
    const what = kind === 'fetch' ? 'fetch(request)' : '(req, res)';
    return viewFound(target, place, `${framework ?? what}; ${reason}`, equivalent, style);
  }
  const { pythonVersion, pythonReason, workers, threads } = event;
  const what = framework === null ? kind.toUpperCase() : `${framework}, ${kind.toUpperCase()}`;
  const size = `${workers} ${workers === 1 ? 'worker' : 'workers'}${threads > 1 ? ` of ${threads} threads` : ''}`;
  return [
    viewFound(target, place, `${what}; ${reason}`, equivalent, style),
    style.dim(`Python ${pythonVersion} (${escapeLine(pythonReason)}), ${size}`),
  ].join('\n');
}

function viewFound(target: string, place: string, what: string, equivalent: string, style: Style): string {
  const found = `found ${style.bold(escapeLine(target))}${escapeLine(place)} (${escapeLine(what)})`;
  return `${found}\n${style.dim(`the same in full: nettool serve ${escapeLine(equivalent)}`)}`;
}

function viewFailure(event: Of<'application-error'>, style: Style): string | undefined {
  const { method, target, message } = event;
  const traceback = 'traceback' in event ? escapeControls(event.traceback?.trimEnd() ?? '') : '';
  // A start or reload that failed: its sentence follows as the end of the one or the other.
  if (method === undefined) return traceback || undefined;
  const request = `${viewId(event)}${escapeLine(method)} ${escapeLine(target ?? '')}`;
  const sentence = `${style.red(`${request} failed:`)} ${escapeControls(message)}`;
  return traceback === '' ? sentence : `${sentence}\n${traceback}`;
}

/** Starting and stopping as planned is nobody's news. */
function viewWorker({ pid, state, reason }: Of<'worker'>, style: Style): string | undefined {
  if (reason === undefined || state === 'stopped') return undefined;
  const line = `worker ${pid ?? '?'} ${state}: ${escapeControls(reason)}`;
  return state === 'died' || state === 'failed' ? style.red(line) : style.dim(line);
}
