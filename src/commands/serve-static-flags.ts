import { type Command, InvalidArgumentError } from 'commander';
import type { StaticTarget } from '../core/handlers/static/index.js';
import { collect, parseDuration } from './options.js';

/** The flags of `serve` that are about files, as commander leaves them. */
export interface StaticFlags {
  readonly hidden?: boolean;
  readonly followSymlinks?: boolean;
  readonly listing: boolean;
  readonly index?: readonly string[];
  readonly cleanUrls?: boolean;
  readonly spa?: boolean;
  readonly 404?: string;
  readonly cache?: NonNullable<StaticTarget['cache']>;
}

/** Declares what a folder is served like. */
export function addStaticFlags(command: Command): Command {
  return command
    .optionsGroup('Files:')
    .option('--hidden', 'serve and list files and folders that start with a dot')
    .option('--follow-symlinks', 'follow links that leave the folder')
    .option('--no-listing', 'answer 404 for folders without an index file')
    .option(
      '--index <name>',
      'the file that answers for its folder (default: index.html; repeatable)',
      parseIndex,
    )
    .optionsGroup('Sites:')
    .option(
      '--spa',
      'answer pages that do not exist with index.html (missing assets stay 404; nothing is listed)',
    )
    .option('--clean-urls', 'answer /about with about.html, and redirect /about.html there')
    .option('--404 <file>', 'the page for what is not there (in the folder, or an absolute path)', parsePage)
    .option(
      '--cache <policy>',
      'how long clients keep files: seconds, no-cache or no-store (default: no-cache; a year for hashed names)',
      parseCache,
    );
}

/** What the flags say about a folder to serve. */
export function toStaticOptions(flags: StaticFlags): Omit<StaticTarget, 'kind' | 'root'> {
  const { index, cache, 404: notFoundPage } = flags;
  return {
    showHidden: flags.hidden === true,
    followLinks: flags.followSymlinks === true,
    listing: flags.listing,
    cleanUrls: flags.cleanUrls === true,
    singlePage: flags.spa === true,
    ...(index !== undefined && { indexNames: index }),
    ...(notFoundPage !== undefined && { notFoundPage }),
    ...(cache !== undefined && { cache }),
  };
}

function parseIndex(name: string, previous: readonly string[] | undefined): string[] {
  if (!/^[^/\\\0]+$/.test(name) || name === '.' || name === '..') {
    throw new InvalidArgumentError(`'${name}' is not a file name.`);
  }
  return collect(name, previous);
}

function parsePage(file: string): string {
  if (file === '') throw new InvalidArgumentError('a file is needed.');
  return file;
}

/** `no-cache`, `no-store`, or a time in seconds (or with a unit) → whole seconds. */
function parseCache(text: string): NonNullable<StaticTarget['cache']> {
  if (text === 'no-cache' || text === 'no-store') return text;
  // Far more than a timer can wait, so not a duration like others: a year is usual.
  if (/^\d{1,9}$/.test(text)) return Number(text);
  try {
    return Math.floor(parseDuration(text) / 1000);
  } catch {
    throw new InvalidArgumentError(`'${text}' is not a time in seconds, no-cache or no-store.`);
  }
}
