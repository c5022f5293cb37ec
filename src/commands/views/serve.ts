import type { ListeningEvent, RequestEvent, ServerEvent } from '../../core/http/server-types.js';
import { escapeLine } from '../output/escape.js';
import type { View } from '../output/reporter.js';
import type { Style } from '../output/style.js';
import { type LogFormat, viewAccess } from './access-log.js';
import { type SiteEvent, viewSiteEvent } from './serve-app.js';

/** What the view says beside the events. */
export interface ServeViewOptions {
  /** What is served, as it was named. */
  readonly target: string;
  /** The port that was asked for. */
  readonly port: number;
  readonly log: LogFormat;
}

/** The words of a running server: its addresses, a line per request, and why one failed whatever the log says. */
export function createServeView(options: ServeViewOptions): View<ServerEvent | SiteEvent> {
  return (event, style) => {
    switch (event.type) {
      case 'listening':
        return viewListening(event, options, style);
      case 'request':
        return viewRequest(event, options.log, style);
      case 'closed':
        return style.dim(`stopped after ${event.requests} ${event.requests === 1 ? 'request' : 'requests'}`);
      case 'connection-open':
      case 'connection-close':
        return undefined;
      default:
        return viewSiteEvent(event, style);
    }
  };
}

/** Only the log's lines, for `--json --log …`, where stdout has the events. */
export function createLogView(log: LogFormat): View<ServerEvent> {
  return (event, style) => (event.type === 'request' ? viewAccess(event, log, style) : undefined);
}

function viewListening({ urls, port }: ListeningEvent, options: ServeViewOptions, style: Style): string {
  const lines = [`serving ${style.bold(escapeLine(options.target))} at`];
  lines.push(...urls.map((url) => `  ${style.cyan(url)}`));
  if (options.port !== 0 && port !== options.port) {
    lines.push(style.yellow(`port ${options.port} is in use, took ${port}`));
  }
  if (style.terminal) lines.push(style.dim('Ctrl-C stops it'));
  return lines.join('\n');
}

function viewRequest(event: RequestEvent, log: LogFormat, style: Style): string | undefined {
  const access = viewAccess(event, log, style);
  // What the client did wrong is in the log, if there is one; what went wrong here is said in any case.
  if (event.error === undefined || event.status < 500) return access;
  const request = `${escapeLine(event.method)} ${escapeLine(event.target)}`;
  const failure = `${style.red(`${request} failed:`)} ${escapeLine(event.error)}`;
  return access === undefined ? failure : `${access}\n${failure}`;
}
