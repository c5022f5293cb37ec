import type { IncomingRequest } from '../messages.js';
import type { ServerLimits, ServerTimers } from '../server-types.js';

/** What is allowed when nothing else is said. */
export const DEFAULT_LIMITS: ServerLimits = {
  maxTargetBytes: 8 * 1024,
  maxHeaderBytes: 16 * 1024,
  maxFields: 100,
  maxBodyBytes: 100 * 1024 * 1024,
  maxDrainBytes: 256 * 1024,
  maxConnections: 10_000,
  maxConnectionsPerAddress: Number.POSITIVE_INFINITY,
  // Twice what browsers use at most (256): node:http2 counts an answer until all that was written with it is out, and
  // refuses the request a client sends when it has that answer.
  maxConcurrentStreams: 512,
};

/** How long clients may take when nothing else is said. */
export const DEFAULT_TIMERS: ServerTimers = {
  headMs: 15_000,
  bodyMs: 30_000,
  minBodyBytesPerSecond: 100,
  keepAliveMs: 15_000,
  sendMs: 60_000,
  lingerMs: 2_000,
};

/** When a half-closed client is first asked whether it is still there; then less and less often. */
export const FIRST_PROBE_MS = 200;
export const MAX_PROBE_MS = 30_000;

/** Requests of one pipeline that are answered before other connections have their turn. */
export const TURN_REQUESTS = 256;
/** What a client may send ahead of its turn before it is no longer read. */
export const MAX_AHEAD_BYTES = 65_536;
/** What a client may still send after its last answer. */
export const MAX_LINGER_BYTES = 1024 * 1024;

/** The most bytes a request's body may have. */
export function bodyLimit(limits: ServerLimits, request: IncomingRequest): number {
  return typeof limits.maxBodyBytes === 'number' ? limits.maxBodyBytes : limits.maxBodyBytes(request);
}
