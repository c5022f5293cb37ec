import type { IncomingRequest } from '../core/http/messages.js';
import type { AppFlags } from './serve-app-flags.js';
import type { ServerFlags } from './serve-server-flags.js';
import type { ServePlan } from './serve-target.js';

const DEFAULT_MAX_BODY = 100 * 1024 * 1024;
/** What a form may have around the file in it. */
const FORM_OVERHEAD_BYTES = 1024 * 1024;

/** Uploads have a limit of their own, whoever else takes bodies has `--max-body`. */
export function bodyLimits(
  flags: ServerFlags,
  { mounts }: ServePlan,
): number | ((request: IncomingRequest) => number) {
  const { maxBody: asked = DEFAULT_MAX_BODY } = flags;
  // As nginx and Apache have it: nothing is limited by nothing.
  const maxBody = asked === 0 ? Number.MAX_SAFE_INTEGER : asked;
  const root = mounts.find(({ prefix }) => prefix === '')?.target;
  const uploads = root?.kind === 'static' ? root.features?.uploads : undefined;
  if (uploads === undefined) return maxBody;
  const others = mounts.map(({ prefix }) => prefix).filter((prefix) => prefix !== '');
  return ({ path }) =>
    others.some((prefix) => path === prefix || path.startsWith(`${prefix}/`))
      ? maxBody
      : uploads.maxBytes + FORM_OVERHEAD_BYTES;
}

const DEFAULT_MAX_CONNECTIONS = 10_000;
const DEFAULT_CGI_MAX = 32;

type Shares = Required<Pick<ServerFlags & AppFlags, 'maxConnections' | 'cgiMax'>>;

/** The flags of one worker of several: what is limited for the whole server is divided among them. */
export function shareOf<Flags extends ServerFlags & AppFlags>(
  flags: Flags,
  index: number,
  workers: number,
): Flags & Shares {
  // Nobody is left with nothing: each gets connections.
  const share = (total: number): number =>
    total === 0 ? 0 : Math.max(1, Math.floor(total / workers) + Number(index < total % workers));
  return {
    ...flags,
    maxConnections: share(flags.maxConnections ?? DEFAULT_MAX_CONNECTIONS),
    cgiMax: share(flags.cgiMax ?? DEFAULT_CGI_MAX),
  };
}
