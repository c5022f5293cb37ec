import { access, constants } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { NettoolError, toNettoolError } from '../core/errors.js';
import type { Content } from '../core/http/content.js';
import type { FollowedResponse } from '../core/http/redirects.js';
import type { AllFlags } from './all-flags.js';
import type { Context } from './context.js';
import { type OutputFile, type Partial, prepareFile } from './output/file.js';

/** What was saved. */
export interface Saved {
  /** As the user knows it: relative when it was given so. */
  readonly path: string;
  readonly sizeBytes: number;
  /** Without what was there already. */
  readonly receivedBytes: number;
}

/** Where one answer goes. */
export interface SaveTarget {
  /** All of it was there already, whatever the status of the answer that says so. */
  readonly isComplete: boolean;
  save(content: Content, verify: (() => void) | undefined): Promise<Saved>;
}

/** The file of a run, known before the answer (`-o`) or by it (`-O`). */
export interface Destination {
  /** Known before the answer. */
  readonly file: OutputFile | undefined;
  /** The file for this answer, by its name as people know it. */
  nameFor(followed: FollowedResponse, firstUrl: URL): Promise<{ file: OutputFile; name: string }>;
  /** Whether a file of that name is replaced. */
  readonly replaces: boolean;
}

/** The destination the flags ask for, checked before anything is sent; `undefined` when there is none. */
export async function prepareDestination(
  context: Context,
  flags: AllFlags,
  { url, names }: { readonly url: URL; readonly names: Set<string> },
): Promise<Destination | undefined> {
  const { output, download } = flags;
  const { cwd } = context.io;
  if (output !== undefined && output !== '-') {
    const file = await prepareFile(resolve(cwd, output));
    return { file, replaces: true, nameFor: async () => ({ file, name: output }) };
  }
  if (download !== true) return undefined;
  await access(cwd, constants.W_OK).catch((error) => {
    const { message } = toNettoolError(error, `cannot write into ${cwd}`);
    throw new NettoolError('OUTPUT_FAILED', message, { cause: error });
  });
  const { toDownloadName } = await import('../core/http/download-name.js');
  if (flags.continue === true) {
    // What to continue has to be known before the server can name it.
    const name = toDownloadName([], url);
    const file = await prepareFile(join(cwd, name));
    return { file, replaces: true, nameFor: async () => ({ file, name }) };
  }
  return {
    file: undefined,
    replaces: false,
    async nameFor({ response }, firstUrl) {
      const name = toFreeName(toDownloadName(response.headers, firstUrl), names);
      return { file: await prepareFile(join(cwd, name)), name };
    },
  };
}

/** Two transfers of one run must not write into one file, however they are called. */
function toFreeName(name: string, names: Set<string>): string {
  const [, stem = name, ending = ''] = /^(.+)(\.[^.]{1,16})$/.exec(name) ?? [];
  let free = name;
  for (let number = 1; names.has(free); number += 1) free = `${stem}-${number}${ending}`;
  names.add(free);
  return free;
}

/** What of a file is there, and the fields that ask for the rest of it. */
export interface Resumption {
  readonly partial: Partial;
  readonly headers: ReadonlyArray<readonly [string, string]>;
}

/** The fields that ask for what is missing, of the same content only (RFC 9110, sections 14.2 and 13.1.5). */
export function toResumption(partial: Partial | undefined): Resumption | undefined {
  if (partial === undefined) return undefined;
  const { sizeBytes, note } = partial;
  return {
    partial,
    headers: [
      ['Range', `bytes=${sizeBytes}-`],
      ['Accept-Encoding', 'identity'],
      ...(note.validator === undefined ? [] : [['If-Range', note.validator] as const]),
    ],
  };
}

/** What an answer to a request for the rest means. */
export type ResumeOutcome = 'rest' | 'whole' | 'complete' | 'restart' | 'other';

/** Reads the answer to a {@link Resumption}; `restart` asks for everything in a new request. */
export async function judgeResume(
  followed: FollowedResponse,
  { partial }: Resumption,
): Promise<ResumeOutcome> {
  const { status, headers } = followed.response;
  const { mayBeSame, parseContentRange, readState } = await import('../core/http/content-range.js');
  const range = parseContentRange(headers);
  if (status === 206) {
    return range?.start === partial.sizeBytes && mayBeSame(partial.note, readState(headers))
      ? 'rest'
      : 'restart';
  }
  if (status === 416) return range?.sizeBytes === partial.sizeBytes ? 'complete' : 'restart';
  return status < 300 ? 'whole' : 'other';
}
