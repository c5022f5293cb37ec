import { statSync } from 'node:fs';
import { isAbsolute, relative, resolve, sep } from 'node:path';
import { type Command, Option } from 'commander';
import { NettoolError } from '../core/errors.js';
import type { FolderFeatures, UploadRules } from '../core/handlers/static/features.js';
import type { ListeningEvent } from '../core/http/server-types.js';
import type { Context } from './context.js';
import { parseSize } from './options.js';

/** The flags of `serve` for listings, downloads, uploads and working on pages. */
export interface FolderFlags {
  readonly listing: boolean;
  readonly sort?: 'name' | 'size' | 'date';
  readonly zip?: boolean;
  readonly upload?: boolean;
  readonly uploadDir?: string;
  readonly overwrite?: boolean;
  readonly maxUpload?: number;
  readonly mkdir?: boolean;
  readonly delete?: boolean;
  readonly watch?: boolean;
  readonly open?: boolean;
  readonly qr?: boolean;
}

const DEFAULT_MAX_UPLOAD = 1024 ** 3;

/** Declares them. */
export function addFolderOptions(command: Command): Command {
  return command
    .optionsGroup('Listings and downloads:')
    .addOption(
      new Option('--sort <key>', 'sort listings by name, size or date').choices(['name', 'size', 'date']),
    )
    .option('--zip', 'offer folders as ZIP files (GET /folder/?zip)')
    .optionsGroup('Uploads:')
    .option(
      '--upload',
      'take files: by drag and drop, form (field "file") or PUT, resumable by Content-Range',
    )
    .option('--upload-dir <folder>', 'take them only in this folder of the served one, and below it')
    .option('--overwrite', 'let an upload take the place of a file of its name (else 409)')
    .option('--max-upload <size>', 'the largest file (default: 1GiB; a larger one is 413)', parseSize)
    .option('--mkdir', 'let uploads make folders')
    .option('--delete', 'let clients delete files and empty folders (DELETE)')
    .optionsGroup('For development:')
    .option('--watch', 'reload pages in the browser when a file changes')
    .option('--open', 'open the browser')
    .option('--qr', 'show the address as a QR code');
}

/** What the flags come to for a folder at `root`; contradictions are refused. */
export function toFolderFeatures(context: Context, root: string, flags: FolderFlags): FolderFeatures {
  const { signal } = context.io;
  const stat = statSync(root, { throwIfNoEntry: false });
  const isFile = stat?.isFile() === true;
  for (const [flag, given] of [
    ['--zip', flags.zip],
    ['--upload', flags.upload],
    ['--sort', flags.sort],
  ] as const) {
    if (given && isFile) throw new NettoolError('USAGE', `${flag} needs a folder to serve, not a file`);
  }
  if (flags.zip && !flags.listing) {
    throw new NettoolError('USAGE', '--zip shows what --no-listing hides', { hint: 'give one of them' });
  }
  const uploads = toUploadRules(root, flags);
  return {
    ...(flags.sort && { sort: flags.sort }),
    ...(flags.zip && { zip: true }),
    ...(uploads && { uploads }),
    ...(flags.watch && { live: { signal } }),
  };
}

function toUploadRules(root: string, flags: FolderFlags): UploadRules | undefined {
  if (!flags.upload) return undefined;
  return {
    folder: flags.uploadDir === undefined ? '/' : toUploadFolder(root, flags.uploadDir),
    overwrite: flags.overwrite === true,
    maxBytes: flags.maxUpload ?? DEFAULT_MAX_UPLOAD,
    makeFolders: flags.mkdir === true,
    allowDelete: flags.delete === true,
  };
}

/** A folder below the root as requests name it. */
function toUploadFolder(root: string, name: string): string {
  const below = relative(root, resolve(root, name));
  if (below === '..' || below.startsWith(`..${sep}`) || isAbsolute(below)) {
    throw new NettoolError('USAGE', `--upload-dir ${name} is not in the folder that is served`);
  }
  if (!statSync(resolve(root, below), { throwIfNoEntry: false })?.isDirectory()) {
    throw new NettoolError('INPUT_FAILED', `cannot take uploads in ${name} (no such folder)`);
  }
  return below === '' ? '/' : `/${below.split(sep).join('/')}/`;
}

/** What `--qr` and `--open` do once the server can be reached; neither holds it up, and neither can stop it. */
export function announce(context: Context, event: ListeningEvent, flags: FolderFlags): void {
  const say = (text: string): void => void context.io.stderr.write(`${text}\n`);
  const failed = (flag: string) => (error: unknown) => {
    if (!context.quiet) say(`${flag} failed: ${error instanceof Error ? error.message : error}`);
  };
  if (flags.qr && !context.quiet) showQr(context, event, say).catch(failed('--qr'));
  if (flags.open) openUrl(context, event.url, say).catch(failed('--open'));
}

type Say = (text: string) => void;

async function showQr(context: Context, { urls, url }: ListeningEvent, say: Say): Promise<void> {
  const { formatQr } = await import('./output/qr.js');
  const best = chooseUrl(urls) ?? url;
  const note = isLocal(best) ? ' (this machine only; --host 0.0.0.0 is for all)' : '';
  say(`${formatQr(best, context.style.stderr)}\n${best}${note}`);
}

async function openUrl({ io, quiet }: Context, url: string, say: Say): Promise<void> {
  const { openBrowser } = await import('../core/platform/browser.js');
  if (!(await openBrowser(url, io.env)) && !quiet) say(`there is nothing to open ${url} with`);
}

/** The address a telephone in the same network can use: IPv4, not loopback. */
function chooseUrl(urls: readonly string[]): string | undefined {
  const reachable = urls.filter((url) => !isLocal(url));
  return reachable.find((url) => !url.includes('[')) ?? reachable[0];
}

function isLocal(url: string): boolean {
  return /^https?:\/\/(?:localhost|127\.|\[::1\])/.test(url);
}
