import { NettoolError, toNettoolError } from '../../errors.js';
import { runTool, type ToolResult } from '../../platform/exec.js';
import { platform } from '../../platform/os.js';
import type { BackendListener, PingBackend, PingOptions, PingTarget } from '../types.js';
import { parseSystemPing } from './system-output.js';

/** What a probe takes beside its timeout: the start of the tool. */
const START_MS = 5000;
const DEFAULT_TIMEOUT_MS = 10_000;

/** Probes by the system's own `ping`, which is set up to be allowed to: one run of it per probe. */
export async function openSystemBackend(
  options: PingOptions,
  listener: BackendListener,
): Promise<PingBackend> {
  if (options.pathMtu !== undefined || options.trafficClass !== undefined || options.pattern !== undefined) {
    throw new NettoolError(
      'UNSUPPORTED',
      "the system's ping is not given patterns, MTU discovery or service types",
    );
  }
  await checkPermitted();
  const stop = new AbortController();
  return {
    method: 'system',
    send(target, seq) {
      const [tool, args] = commandFor(target, options);
      const limits = { timeoutMs: (options.timeoutMs || DEFAULT_TIMEOUT_MS) + START_MS, signal: stop.signal };
      runTool(tool, args, limits).then(
        (result) => tellResult(target, seq, result, listener),
        (error) => {
          if (stop.signal.aborted || (error as NettoolError).code === 'TIMEOUT') return;
          const { message } = toNettoolError(error);
          listener.error(target, seq, { from: null, icmpType: null, icmpCode: null, message });
        },
      );
    },
    close: () => stop.abort(),
  };
}

function tellResult(target: PingTarget, seq: number, result: ToolResult, listener: BackendListener): void {
  const outcome = parseSystemPing(`${result.stdout}\n${result.stderr}`, target.family);
  if (outcome === undefined) return;
  if ('timeMs' in outcome) listener.reply(target, seq, outcome);
  else listener.error(target, seq, outcome);
}

/** A ping without the capability says so at once. */
async function checkPermitted(): Promise<void> {
  const [tool, args] = commandFor(
    { host: '', address: '127.0.0.1', family: 4 },
    { sizeBytes: 56, timeoutMs: 1000 },
  );
  const { exitCode, stderr } = await runTool(tool, args, { timeoutMs: START_MS });
  if (exitCode !== 0 && /permi|socket/i.test(stderr)) {
    throw new NettoolError('PERMISSION', "neither this program nor the system's ping is permitted");
  }
}

type SystemOptions = Pick<
  PingOptions,
  'sizeBytes' | 'timeoutMs' | 'ttl' | 'sourceAddress' | 'sourceInterface'
>;

/** The command line of one probe: only flags that iputils, BusyBox and inetutils share, or the system's own. */
export function commandFor(
  { address, family }: PingTarget,
  options: SystemOptions,
  system: NodeJS.Platform = platform,
): [tool: string, args: string[]] {
  const timeoutMs = options.timeoutMs || DEFAULT_TIMEOUT_MS;
  const source = options.sourceAddress ?? options.sourceInterface;
  const size = String(options.sizeBytes);
  if (system === 'win32') {
    const ttl = options.ttl === undefined ? [] : ['-i', String(options.ttl)];
    const from = source === undefined ? [] : ['-S', source];
    return ['ping', [`-${family}`, '-n', '1', '-w', String(timeoutMs), '-l', size, ...ttl, ...from, address]];
  }
  if (system === 'darwin') {
    const from = source === undefined ? [] : ['-S', source];
    if (family === 6) {
      const hops = options.ttl === undefined ? [] : ['-h', String(options.ttl)];
      return ['ping6', ['-n', '-c', '1', '-s', size, ...hops, ...from, address]];
    }
    const ttl = options.ttl === undefined ? [] : ['-m', String(options.ttl)];
    return ['ping', ['-n', '-c', '1', '-W', String(timeoutMs), '-s', size, ...ttl, ...from, address]];
  }
  const ttl = options.ttl === undefined ? [] : ['-t', String(options.ttl)];
  const from = source === undefined ? [] : ['-I', source];
  const wait = String(Math.max(1, Math.ceil(timeoutMs / 1000)));
  return ['ping', [`-${family}`, '-c', '1', '-W', wait, '-s', size, ...ttl, ...from, address]];
}
