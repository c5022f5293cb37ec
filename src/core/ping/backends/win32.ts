import { Worker } from 'node:worker_threads';
import { NettoolError } from '../../errors.js';
import { parseIpBytes } from '../../net/ip-bytes.js';
import { FFI_MODULE, hasFfi } from '../../platform/ffi.js';
import { createEchoRequest, ICMP_HEADER_BYTES } from '../packet.js';
import type { BackendListener, PingBackend, PingOptions, PingTarget } from '../types.js';
import {
  decodeWindowsReply,
  encodeIpOptions,
  encodeWindowsAddress6,
  replyBufferBytes,
  type WindowsResult,
} from './win32-packet.js';

const DEFAULT_TIMEOUT_MS = 10_000;
/** Calls that wait at the same time; each takes a thread. */
const MAX_WORKERS = 32;

/**
 * Runs in a worker, since the call waits for its reply: it asks IcmpSendEcho2Ex or Icmp6SendEcho2 and times it.
 * A text, because a bundled program has no file to start a worker from.
 */
const WORKER = `
const { parentPort } = require('node:worker_threads');
process.emitWarning = () => {};
const ffi = process.getBuiltinModule('${FFI_MODULE}');
const u32 = 'uint32', ptr = 'pointer', buf = 'buffer';
const { functions: api } = ffi.dlopen('iphlpapi.dll', {
  IcmpCreateFile: { arguments: [], return: ptr },
  Icmp6CreateFile: { arguments: [], return: ptr },
  IcmpSendEcho2Ex: { arguments: [ptr, ptr, ptr, ptr, u32, u32, buf, 'uint16', buf, buf, u32, u32], return: u32 },
  Icmp6SendEcho2: { arguments: [ptr, ptr, ptr, ptr, buf, buf, buf, 'uint16', buf, buf, u32, u32], return: u32 },
});
const { functions: kernel } = ffi.dlopen('kernel32.dll', { GetLastError: { arguments: [], return: u32 } });
const handles = {};
parentPort.on('message', (job) => {
  const handle = (handles[job.family] ??= job.family === 4 ? api.IcmpCreateFile() : api.Icmp6CreateFile());
  const [request, options, to, from] = [job.request, job.options, job.to, job.from].map((bytes) => Buffer.from(bytes));
  const reply = Buffer.alloc(job.replyBytes);
  const start = process.hrtime.bigint();
  const count = job.family === 4
    ? api.IcmpSendEcho2Ex(handle, 0n, 0n, 0n, from.readUInt32LE(0), to.readUInt32LE(0), request, request.length, options, reply, reply.length, job.timeoutMs)
    : api.Icmp6SendEcho2(handle, 0n, 0n, 0n, from, to, request, request.length, options, reply, reply.length, job.timeoutMs);
  const elapsedMs = Number(process.hrtime.bigint() - start) / 1e6;
  const lastError = count === 0 ? kernel.GetLastError() || 11010 : 0;
  parentPort.postMessage({ reply, pointer: ffi.getRawPointer(reply), elapsedMs, lastError });
});
`;

interface Job {
  readonly target: PingTarget;
  readonly seq: number;
}

/** Windows: the ICMP functions of the IP Helper API, which need no rights. Duplicates stay unseen. */
export function openWindowsBackend(options: PingOptions, listener: BackendListener): PingBackend {
  if (!hasFfi()) throw new NettoolError('UNSUPPORTED', 'this program has no access to the ICMP functions');
  const idle: Worker[] = [];
  const workers = new Set<Worker>();
  const waiting: Job[] = [];
  const payload = createEchoRequest(4, options.sizeBytes, options.pattern).subarray(ICMP_HEADER_BYTES);

  const next = (): void => {
    const [job] = waiting;
    const worker = job === undefined ? undefined : (idle.pop() ?? startWorker());
    if (job === undefined || worker === undefined) return;
    waiting.shift();
    worker.once('message', (result: Omit<WindowsResult, 'sent' | 'reply'> & { reply: Uint8Array }) => {
      idle.push(worker);
      finish(job, { ...result, reply: Buffer.from(result.reply), sent: payload });
      next();
    });
    worker.postMessage(toRequest(job.target));
  };

  return {
    method: 'icmp-api',
    send(target, seq) {
      waiting.push({ target, seq });
      next();
    },
    close() {
      waiting.length = 0;
      for (const worker of workers) void worker.terminate();
    },
  };

  function startWorker(): Worker | undefined {
    if (workers.size >= MAX_WORKERS) return undefined;
    const worker = new Worker(WORKER, { eval: true });
    worker.unref();
    // Without the library nothing comes back; the probes time out.
    worker.on('error', () => workers.delete(worker));
    workers.add(worker);
    return worker;
  }

  function finish({ target, seq }: Job, result: WindowsResult): void {
    const outcome = decodeWindowsReply(target.family, result);
    if (outcome === undefined) return;
    if ('timeMs' in outcome) listener.reply(target, seq, outcome);
    else listener.error(target, seq, outcome);
  }

  function toRequest({ address, family }: PingTarget) {
    const source = options.sourceAddress ?? (family === 4 ? '0.0.0.0' : '::');
    const encode = (text: string): Buffer =>
      family === 4 ? (parseIpBytes(text) ?? Buffer.alloc(4)) : encodeWindowsAddress6(text);
    return {
      family,
      request: payload,
      options: encodeIpOptions({
        ...(options.ttl === undefined ? {} : { ttl: options.ttl }),
        ...(options.trafficClass === undefined ? {} : { trafficClass: options.trafficClass }),
        dontFragment: options.pathMtu === 'do',
      }),
      to: encode(address),
      from: encode(source),
      replyBytes: replyBufferBytes(family, options.sizeBytes),
      timeoutMs: options.timeoutMs || DEFAULT_TIMEOUT_MS,
    };
  }
}
