import { resolve } from 'node:path';
import type { Command } from 'commander';
import { NettoolError } from '../core/errors.js';
import type { Endpoint } from '../core/net/dial.js';
import type { Mode } from '../core/net/modes/mode.js';
import { action, type Context, type Run } from './context.js';
import { parseCount } from './options.js';
import {
  addProgressOption,
  addSocketOptions,
  addTlsOptions,
  collectList,
  METER,
  type SocketFlags,
  type TlsFlags,
  toAccess,
  toBytes,
  toFileSource,
  toHostPort,
  toListenEndpoint,
  toTlsServer,
} from './socket-options.js';
import { createSocketOutput, createSocketReporter, type SocketOutput } from './socket-output.js';

interface TcpServerFlags extends SocketFlags, TlsFlags {
  readonly echo?: boolean;
  readonly reply?: string;
  readonly chat?: boolean;
  readonly sink?: boolean;
  readonly source?: boolean;
  readonly send?: string;
  readonly save?: string;
  readonly exec?: string;
  readonly forward?: string;
  readonly once?: boolean;
  readonly maxConnections?: number;
  readonly allow?: string[];
  readonly deny?: string[];
  readonly unix?: string;
}

const MODES = ['echo', 'reply', 'chat', 'sink', 'source', 'send', 'save', 'exec', 'forward'] as const;

const FORWARD_TIMEOUT_MS = 10_000;

/** Declares `nettool tcp-server`. */
export function registerTcpServer(program: Command, run: Run): void {
  const command = program
    .command('tcp-server')
    .summary('listen for TCP connections: print, answer, echo, relay, save')
    .description(
      'Listens for TCP connections on 127.0.0.1 (or HOST). Prints what arrives and sends stdin to every client,\n' +
        'unless one of the modes says otherwise. A client that has said all still gets the whole answer.',
    )
    .usage('[HOST] PORT [flags]')
    .argument('[address...]', 'host (127.0.0.1) and port (0: any free one)')
    .optionsGroup('Modes (one of):')
    .option('--echo', 'send everything back')
    .option('--reply <text>', "answer each connection's first data once, then end (@file: with a file)")
    .option('--chat', "relay each client's bytes to all others")
    .option('--sink', 'take everything, say nothing')
    .option('--source', 'send random bytes for ever, to measure with --throughput')
    .option('--send <file>', 'send a file to each client')
    .option('--save <folder>', 'keep what each client sends in a file of its own')
    .option('--exec <command>', 'join each client to a process of its own, run by the shell')
    .option('--forward <host:port>', 'join each client to a connection to there (or to unix:PATH)')
    .optionsGroup('Connections:')
    .option('--once', 'one connection, then exit')
    .option('--max-connections <count>', 'more wait in the backlog', parseMost)
    .option('--allow <cidr>', 'let in only these (repeatable)', collectList)
    .option('--deny <cidr>', 'never let in these (repeatable)', collectList)
    .option('--unix <path>', 'listen on a Unix socket instead');
  addProgressOption(addSocketOptions(command));
  addTlsOptions(command, 'server');
  command.action(action(run, performTcpServer));
}

function parseMost(text: string): number {
  const count = parseCount(text);
  if (count === 0) throw new NettoolError('USAGE', '--max-connections: at least 1');
  return count;
}

async function performTcpServer(
  context: Context,
  [address]: readonly unknown[],
  flags: TcpServerFlags,
): Promise<number> {
  const endpoint = toListenEndpoint(address as string[], flags.unix, context);
  const show = { server: true, hex: flags.hex === true, time: flags.time === true };
  const onEvent = createSocketReporter(context, show);
  const output = await createSocketOutput(context, show, onEvent);
  const failed = new AbortController();
  const signal = AbortSignal.any([context.io.signal, failed.signal]);
  const mode = await toMode(context, flags, { output, signal, onFailure: (error) => failed.abort(error) });
  const tls = await toTlsServer(flags, 'host' in endpoint ? endpoint.host : 'localhost', context);
  const { runTcpServer } = await import('../core/net/tcp-server.js');
  const totals = await runTcpServer({
    endpoint,
    mode,
    tls,
    maxConnections: flags.maxConnections,
    idleTimeoutMs: flags.idleTimeout,
    limitRate: flags.limitRate,
    checksum: flags.checksum,
    progress: flags.progress === METER,
    once: flags.once,
    ...toAccess(flags),
    onEvent,
    onSent: output.onSent && (({ id }, bytes) => output.onSent?.(id, bytes)),
    signal,
  });
  onEvent({ type: 'closed', ...totals });
  if (failed.signal.aborted) throw failed.signal.reason;
  return 0;
}

interface ModeParts {
  readonly output: SocketOutput;
  readonly signal: AbortSignal;
  readonly onFailure: (error: unknown) => void;
}

async function toMode(context: Context, flags: TcpServerFlags, parts: ModeParts): Promise<Mode> {
  const [kind, second] = MODES.filter((name) => flags[name] !== undefined);
  if (second !== undefined)
    throw new NettoolError('USAGE', `--${kind} and --${second} are two modes; take one`);
  const simple = await import('../core/net/modes/simple.js');
  const openOutput = ({ id }: { id: number }) => parts.output.open(id);
  switch (kind) {
    case 'echo':
      return simple.echoMode();
    case 'sink':
      return simple.sinkMode();
    case 'source':
      return simple.sourceMode();
    case 'reply':
      return simple.replyMode(openOutput, await toBytes(flags.reply ?? '', context));
    case 'send':
      return simple.sendMode(openOutput, await toFileSource(flags.send ?? '', context));
    case 'chat':
      return (await import('../core/net/modes/chat.js')).chatMode(flags.idleTimeout);
    case 'save':
      return (await import('../core/net/modes/save.js')).saveMode(resolve(context.io.cwd, flags.save ?? ''));
    case 'exec':
      return toExec(context, flags.exec ?? '');
    case 'forward':
      return (await import('../core/net/modes/forward.js')).forwardMode({
        target: await toForwardTarget(flags.forward ?? '', context),
        connectTimeoutMs: FORWARD_TIMEOUT_MS,
        signal: parts.signal,
      });
    default:
      return (await import('../core/net/modes/print.js')).printMode({
        openOutput,
        input: { kind: 'stream', stream: context.io.stdin },
        interactive: context.io.stdin.isTTY === true,
        patienceMs: flags.idleTimeout,
        onInputError: parts.onFailure,
      });
  }
}

/** `HOST:PORT`, or `unix:PATH` as elsewhere. */
async function toForwardTarget(text: string, { io }: Context): Promise<Endpoint> {
  if (text.startsWith('unix:') && text.length > 'unix:'.length) {
    return { path: resolve(io.cwd, text.slice('unix:'.length)) };
  }
  return toHostPort('--forward', text);
}

async function toExec(context: Context, commandLine: string): Promise<Mode> {
  const { execMode } = await import('../core/net/modes/exec.js');
  const { checkCommand } = await import('../core/platform/shell.js');
  const { cwd, stderr } = context.io;
  await checkCommand(commandLine, cwd);
  const onStderr: (bytes: Buffer) => void = (bytes) => void stderr.write(bytes);
  return execMode({ commandLine, cwd, onStderr });
}
