import type { Readable, Writable } from 'node:stream';
import type { Command } from 'commander';
import { createRedactor, type Redactor } from '../core/secrets.js';
import { type ColorChoice, createStyle, type Style } from './output/style.js';

/** A stream that may be a terminal. */
export type Terminal = { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

/** Everything a run may touch of the process; tests hand in their own. */
export interface Io {
  readonly stdin: Readable & Terminal;
  readonly stdout: Writable & Terminal;
  readonly stderr: Writable & Terminal;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** Aborts when the run has to stop; its reason is the `NettoolError` that says why. */
  readonly signal: AbortSignal;
  /** What starts this program once more: its path, and what must stand before its own arguments. */
  readonly self?: readonly [string, ...string[]];
  /** Listens to a signal that does not end the run, until the function it returns is called. */
  readonly onSignal?: (
    name: 'SIGHUP' | 'SIGUSR1' | 'SIGTTIN' | 'SIGTTOU',
    listener: () => void,
  ) => () => void;
}

/** The flags every command takes. */
export interface GlobalFlags {
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: number;
  readonly color?: ColorChoice;
  readonly progress?: boolean;
  readonly showSecrets?: boolean;
}

/** What a command's action works with: the process's streams and what the global flags decided. */
export interface Context {
  readonly io: Io;
  /** The arguments of the run as they were given. */
  readonly argv: readonly string[];
  readonly json: boolean;
  readonly quiet: boolean;
  /** How often `-v` was given. */
  readonly verbose: number;
  /** Spinners and bars may be drawn on stderr. */
  readonly progress: boolean;
  readonly style: { readonly stdout: Style; readonly stderr: Style };
  /** Remembers a secret of this run. */
  readonly addSecret: (secret: string) => void;
  /** Masks the secrets of this run in a text for people or reports. */
  readonly redact: (text: string) => string;
}

/** One call of `main`: its streams, and the exit code its command comes to. */
export interface Run {
  readonly io: Io;
  readonly argv: readonly string[];
  readonly redactor: Redactor;
  /** Whether a command of this name may be meant: only those declare their flags, of which there are hundreds. */
  readonly wants: (command: string) => boolean;
  exitCode: number;
}

/** The context of a run under its global flags. */
export function createContext(run: Run, flags: GlobalFlags): Context {
  const { io, argv } = run;
  const color = flags.color ?? 'auto';
  const styleOf = (stream: Terminal): Style =>
    createStyle({ isTTY: stream.isTTY === true, color, env: io.env });
  const style = { stdout: styleOf(io.stdout), stderr: styleOf(io.stderr) };
  const json = flags.json === true;
  const quiet = flags.quiet === true;
  return {
    io,
    argv,
    json,
    quiet,
    verbose: flags.verbose ?? 0,
    progress: flags.progress !== false && !quiet && !json && !io.env.CI && style.stderr.terminal,
    style,
    addSecret: run.redactor.add,
    redact: run.redactor.redact,
  };
}

/** What a command does once its arguments are values: reports, and returns the exit code. */
export type Perform<Flags> = (context: Context, args: readonly unknown[], flags: Flags) => Promise<number>;

/** Wraps {@link Perform} as a commander action: global flags may stand before or after the command's name. */
export function action<Flags>(run: Run, perform: Perform<Flags>): (...all: unknown[]) => Promise<void> {
  return async (...all) => {
    const command = all.at(-1) as Command;
    const flags = { ...command.parent?.opts(), ...command.opts() } as Flags & GlobalFlags;
    run.exitCode = await perform(createContext(run, flags), command.processedArgs, flags);
  };
}

/** The run of one call of `main`. */
export function createRun(io: Io, argv: readonly string[], flags: GlobalFlags): Run {
  const everything = argv.includes('help') || argv.includes('completion');
  return {
    io,
    argv,
    redactor: createRedactor(flags.showSecrets === true),
    wants: (command) => everything || argv.includes(command),
    exitCode: 0,
  };
}

/**
 * The global flags as far as they can be seen without parsing: what reports a usage error must know whether
 * JSON was asked for, and which command was meant.
 */
export function peekFlags(argv: readonly string[]): GlobalFlags {
  const end = argv.indexOf('--');
  const words = end === -1 ? argv : argv.slice(0, end);
  const color = words.findLast(
    (word, index) => word.startsWith('--color=') || words[index - 1] === '--color',
  );
  const letters = words.filter((word) => /^-[qv]+$/.test(word)).join('');
  return {
    json: words.includes('--json'),
    showSecrets: words.includes('--show-secrets'),
    verbose: letters.split('v').length - 1 + words.filter((word) => word === '--verbose').length,
    color: color?.endsWith('always') ? 'always' : color?.endsWith('never') ? 'never' : 'auto',
  };
}
