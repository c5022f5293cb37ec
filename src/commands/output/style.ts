import { Chalk } from 'chalk';
import { escapeControls } from './escape.js';

/** `--color`. */
export type ColorChoice = 'auto' | 'always' | 'never';

type Paint = (text: string) => string;

/** How text looks on one stream: colours or none, control characters escaped or not. Decided once per run. */
export interface Style {
  /** The stream is a terminal (and not a dumb one). */
  readonly terminal: boolean;
  readonly bold: Paint;
  readonly dim: Paint;
  readonly red: Paint;
  readonly green: Paint;
  readonly yellow: Paint;
  readonly blue: Paint;
  readonly magenta: Paint;
  readonly cyan: Paint;
  /** Whatever the terminal's own colours are. */
  readonly whiteOnBlack: Paint;
  /** Text that came from outside: escaped for a terminal, unchanged for a pipe or file. */
  readonly foreign: Paint;
}

interface StyleInput {
  readonly isTTY: boolean;
  readonly color: ColorChoice;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Colour depth 0-3; the flag wins over `NO_COLOR`, that over `FORCE_COLOR`, that over what the stream is. */
function colorLevel({ isTTY, color, env }: StyleInput): 0 | 1 | 2 | 3 {
  const depth = env.COLORTERM === 'truecolor' ? 3 : env.TERM?.includes('256') ? 2 : 1;
  if (color !== 'auto') return color === 'always' ? depth : 0;
  if (env.NO_COLOR) return 0;
  const force = env.FORCE_COLOR;
  if (force !== undefined) {
    if (force === '0' || force === 'false') return 0;
    return force === '1' || force === '2' || force === '3' ? (Number(force) as 1 | 2 | 3) : depth;
  }
  return isTTY && env.TERM !== 'dumb' ? depth : 0;
}

/** The {@link Style} of a stream. */
export function createStyle(input: StyleInput): Style {
  const chalk = new Chalk({ level: colorLevel(input) });
  const paint =
    (color: Paint): Paint =>
    (text) =>
      color(text);
  return {
    terminal: input.isTTY && input.env.TERM !== 'dumb',
    bold: paint(chalk.bold),
    dim: paint(chalk.dim),
    red: paint(chalk.red),
    green: paint(chalk.green),
    yellow: paint(chalk.yellow),
    blue: paint(chalk.blue),
    magenta: paint(chalk.magenta),
    cyan: paint(chalk.cyan),
    whiteOnBlack: paint(chalk.whiteBright.bgBlack),
    foreign: input.isTTY ? escapeControls : (text) => text,
  };
}
