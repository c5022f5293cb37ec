import type { Writable } from 'node:stream';
import { CommanderError } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { NettoolError, toNettoolError } from '../core/errors.js';
import { describePlatform } from '../core/platform/os.js';
import { createContext, createRun, type GlobalFlags, type Io, peekFlags, type Run } from './context.js';
import { exitCodeFor } from './exit-codes.js';
import { toJsonLine } from './output/reporter.js';
import { translatePeerCommand, translatePeerFlag } from './peer-flags.js';
import { createProgram, VersionRequested } from './program.js';
import { toErrorEvent, viewError } from './views/error.js';

/** The reason of an abort when whoever read our output has gone: not a failure. */
const READER_GONE = new NettoolError('OUTPUT_FAILED', 'the reader of the output has gone');

/**
 * The whole program as a function: arguments (without node and script) and streams in, exit code out.
 * The one place that catches: every failure is worded, reported and numbered here.
 */
export async function main(argv: readonly string[], io: Io): Promise<number> {
  const outputLost = watchOutput(io);
  const flags = peekFlags(argv);
  const run = createRun(withSignal(io, AbortSignal.any([io.signal, outputLost])), argv, flags);
  const program = createProgram(run);
  try {
    await program.parseAsync([...argv], { from: 'user' }).catch((request: unknown) => {
      if (request instanceof VersionRequested) printVersion(flags, io);
      // Help has been printed by then.
      else if (!(request instanceof CommanderError && request.exitCode === 0)) throw request;
    });
    await flush(io.stdout);
    outputLost.throwIfAborted();
    return run.exitCode;
  } catch (error) {
    if (outputLost.reason === READER_GONE) return run.exitCode;
    const command = argv.find((word) => program.commands.some((known) => known.name() === word));
    return reportFailure(outputLost.aborted ? outputLost.reason : error, { run, flags, command });
  }
}

interface Failed {
  readonly run: Run;
  readonly flags: GlobalFlags;
  /** The command that was meant, also when the rest of the line did not parse. */
  readonly command: string | undefined;
}

/** Says what went wrong, in words on stderr and with `--json` as a document on stdout, and numbers it. */
function reportFailure(error: unknown, { run, flags, command }: Failed): number {
  const failure = error instanceof CommanderError ? toUsageError(error, command) : toNettoolError(error);
  const exitCode = exitCodeFor(failure.code);
  const event = toErrorEvent(failure, command, exitCode);
  const { io, json, redact, style, verbose } = createContext(run, flags);
  if (json && !io.stdout.errored) io.stdout.write(`${toJsonLine(event, redact)}\n`);
  const place = json ? undefined : failure.place;
  io.stderr.write(`${redact(viewError(event, style.stderr, place))}\n`);
  if (verbose > 1) io.stderr.write(`${redact(describeStack(error))}\n`);
  return exitCode;
}

/** Not a spread: that would open stdin, which only the commands that read it may do. */
function withSignal(io: Io, signal: AbortSignal): Io {
  const { stdout, stderr, env, cwd, self, onSignal } = io;
  return {
    ...(self !== undefined && { self }),
    ...(onSignal !== undefined && { onSignal }),
    get stdin() {
      return io.stdin;
    },
    stdout,
    stderr,
    env,
    cwd,
    signal,
  };
}

/** A signal that aborts when stdout can no longer be written: the reader went away, or the disk is full. */
function watchOutput(io: Io): AbortSignal {
  const lost = new AbortController();
  io.stdout.on('error', (error: NodeJS.ErrnoException) => {
    lost.abort(error.code === 'EPIPE' ? READER_GONE : toOutputError(error));
  });
  // Nobody is left to be told that stderr is gone.
  io.stderr.on('error', () => {});
  return lost.signal;
}

/** Waits until everything written has left, so that a full disk is noticed before the exit code is told. */
function flush(stream: Writable): Promise<void> {
  return new Promise((resolve) => {
    stream.write('', () => resolve());
  });
}

function toOutputError(error: Error): NettoolError {
  const { message } = toNettoolError(error, 'cannot write the output');
  return new NettoolError('OUTPUT_FAILED', message, { cause: error });
}

function printVersion({ json }: GlobalFlags, io: Io): void {
  const { name, version } = packageJson;
  const node = process.version.slice(1);
  const line = json
    ? JSON.stringify({ type: 'version', name, version, nodeVersion: node, platform: describePlatform() })
    : `${name} ${version} (Node ${node}, ${describePlatform()})`;
  io.stdout.write(`${line}\n`);
}

/** commander's `error: unknown option '--jsn'\n(Did you mean --json?)` as our sentence and hint. */
function toUsageError(error: CommanderError, command: string | undefined): NettoolError {
  if (error.code === 'commander.help')
    return new NettoolError('USAGE', 'a command is missing', { hint: HELP });
  const [sentence = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const word = /^unknown command '(.*)'$/.exec(sentence)?.[1];
  const meant =
    (word === undefined ? undefined : translatePeerCommand(word)) ??
    suggestion?.match(/Did you mean (.*)\?\)/)?.[1];
  const unknown = /^unknown option '(--?[^'=]+)/.exec(sentence)?.[1];
  const here = unknown === undefined ? undefined : translatePeerFlag(command, unknown);
  if (here !== undefined) return new NettoolError('USAGE', sentence, { hint: `here: ${here}` });
  const help = command === undefined ? HELP : `see 'nettool ${command} --help'`;
  return new NettoolError('USAGE', sentence, { hint: meant === undefined ? help : `did you mean ${meant}?` });
}

const HELP = "see 'nettool --help', or 'nettool <command> --help'";

function describeStack(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by: ${describeStack(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
