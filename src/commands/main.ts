import { type Command, CommanderError } from 'commander';
import packageJson from '../../package.json' with { type: 'json' };
import { NettoolError, toNettoolError } from '../core/errors.js';
import { describePlatform } from '../core/platform/os.js';
import { createRun, hasFlag, type Io } from './context.js';
import { exitCodeFor } from './exit-codes.js';
import { toJsonLine } from './output/reporter.js';
import { createStyle } from './output/style.js';
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
  const run = createRun(withSignal(io, AbortSignal.any([io.signal, outputLost])), argv);
  const program = createProgram(run);
  try {
    await program.parseAsync([...argv], { from: 'user' });
    if (outputLost.aborted && outputLost.reason !== READER_GONE) throw outputLost.reason;
    return run.exitCode;
  } catch (error) {
    if (error instanceof VersionRequested) return printVersion(argv, io);
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (outputLost.aborted && outputLost.reason === READER_GONE) return run.exitCode;
    return fail(outputLost.aborted ? outputLost.reason : error);
  }

  function fail(error: unknown): number {
    const failure = error instanceof CommanderError ? toUsageError(error) : toNettoolError(error);
    const exitCode = exitCodeFor(failure.code);
    const event = toErrorEvent(failure, findCommand(program, argv), exitCode);
    const { redact } = run.redactor;
    const color = hasFlag(argv, '--color=never') ? 'never' : 'auto';
    const style = createStyle({ isTTY: io.stderr.isTTY === true, color, env: io.env });
    if (hasFlag(argv, '--json') && !outputLost.aborted) io.stdout.write(`${toJsonLine(event, redact)}\n`);
    io.stderr.write(`${redact(viewError(event, style))}\n`);
    if (wantsStack(argv)) io.stderr.write(`${redact(describeStack(error))}\n`);
    return exitCode;
  }
}

/** Not a spread: that would open stdin, which only the commands that read it may do. */
function withSignal(io: Io, signal: AbortSignal): Io {
  const { stdout, stderr, env, cwd } = io;
  return {
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

function toOutputError(error: Error): NettoolError {
  const { message } = toNettoolError(error, 'cannot write the output');
  return new NettoolError('OUTPUT_FAILED', message, { cause: error });
}

function printVersion(argv: readonly string[], io: Io): number {
  const { name, version } = packageJson;
  const node = process.version.slice(1);
  const line = hasFlag(argv, '--json')
    ? JSON.stringify({ type: 'version', name, version, nodeVersion: node, platform: describePlatform() })
    : `${name} ${version} (Node ${node}, ${describePlatform()})`;
  io.stdout.write(`${line}\n`);
  return 0;
}

/** commander's `error: unknown option '--jsn'\n(Did you mean --json?)` as our sentence and hint. */
function toUsageError(error: CommanderError): NettoolError {
  if (error.code === 'commander.help')
    return new NettoolError('USAGE', 'a command is missing', { hint: HELP });
  const [sentence = '', suggestion] = error.message.replace(/^error: /, '').split('\n');
  const meant = suggestion?.match(/Did you mean (.*)\?\)/)?.[1];
  return new NettoolError('USAGE', sentence, { hint: meant === undefined ? HELP : `did you mean ${meant}?` });
}

const HELP = "see 'nettool --help', or 'nettool <command> --help'";

/** The command an argument list names, also when the rest of it did not parse. */
function findCommand(program: Command, argv: readonly string[]): string | undefined {
  return argv.find((word) => program.commands.some((command) => command.name() === word));
}

function wantsStack(argv: readonly string[]): boolean {
  return (
    argv.some((word) => /^-v{2,}$/.test(word)) ||
    argv.filter((word) => word === '-v' || word === '--verbose').length > 1
  );
}

function describeStack(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause = error.cause === undefined ? '' : `\ncaused by: ${describeStack(error.cause)}`;
  return `${error.stack ?? error.message}${cause}`;
}
