import type { ListeningEvent, RequestEvent, ServerEvent } from '../../core/http/server-types.js';
import { escapeLine } from '../output/escape.js';
import type { View } from '../output/reporter.js';
import type { Style } from '../output/style.js';
import { type SiteEvent, viewSiteEvent } from './serve-app.js';

/** What the view says beside the events. */
export interface ServeViewOptions {
  /** What is served, as it was named. */
  readonly target: string;
  /** The port that was asked for, when another one may be taken; 0 when not. */
  readonly wantedPort: number;
}

/** The words of a running server: its addresses, and what failed; what it answered is the log's to say. */
export function createServeView(options: ServeViewOptions): View<ServerEvent | SiteEvent> {
  // An application's failure comes first, with its traceback, then as the reason of a 500.
  let told: { readonly target?: string; readonly message: string } | undefined;
  let isListening = false;
  return (event, style) => {
    switch (event.type) {
      case 'listening':
        isListening = true;
        if (event.admin === true) return `health and metrics at\n  ${style.cyan(event.url)}`;
        return viewListening(event, options, style);
      case 'request':
        if (event.target === told?.target && event.error === told?.message) return undefined;
        return viewFailure(event, style);
      case 'application-error':
        told = event;
        return viewSiteEvent(event, style);
      case 'closed':
        return style.dim(`stopped after ${event.requests} ${event.requests === 1 ? 'request' : 'requests'}`);
      case 'connection-open':
      case 'connection-close':
        return undefined;
      case 'worker':
        // What keeps the server from starting is said by the failure that ends it.
        return event.state === 'failed' && !isListening ? undefined : viewSiteEvent(event, style);
      default:
        return viewSiteEvent(event, style);
    }
  };
}

function viewListening({ urls, port }: ListeningEvent, options: ServeViewOptions, style: Style): string {
  const lines = [`serving ${style.bold(escapeLine(options.target))} at`];
  lines.push(...urls.map((url) => `  ${style.cyan(url)}`));
  if (options.wantedPort !== 0 && port !== options.wantedPort) {
    lines.push(style.yellow(`port ${options.wantedPort} is in use, took ${port}`));
  }
  if (style.terminal) lines.push(style.dim('Ctrl-C stops it'));
  return lines.join('\n');
}

/** What the client did wrong is in the log, if there is one; what went wrong here is said in any case. */
function viewFailure({ method, target, status, error }: RequestEvent, style: Style): string | undefined {
  if (error === undefined || status < 500) return undefined;
  return `${style.red(`${escapeLine(method)} ${escapeLine(target)} failed:`)} ${escapeLine(error)}`;
}
