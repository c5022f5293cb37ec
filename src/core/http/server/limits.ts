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
  maxConcurrentStreams: 128,
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

/** The most bytes a request's body may have. */
export function bodyLimit(limits: ServerLimits, request: IncomingRequest): number {
  return typeof limits.maxBodyBytes === 'number' ? limits.maxBodyBytes : limits.maxBodyBytes(request);
}
