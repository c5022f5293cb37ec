import type { BigIntStats } from 'node:fs';
import { formatHttpDate } from '../../http/date.js';
import type { HeaderPair, HttpResponse } from '../../http/messages.js';
import type { Coding } from './coding.js';
import type { Validators } from './conditional.js';

/** A file's content in one content coding, with the answers that can be given for it ready to be sent. */
export interface Representation {
  readonly coding: Coding | undefined;
  readonly contentType: string;
  readonly sizeBytes: number;
  readonly validators: Validators;
  /** Whether the bytes are those of a file, which ranges can be taken of. */
  readonly isFile: boolean;
  /** The content, when it is kept in memory. */
  readonly bytes: Buffer | undefined;
  /** 200; without a body unless `bytes` are there. */
  readonly whole: HttpResponse;
  /** The same for HEAD. */
  readonly head: HttpResponse;
  readonly unchanged: HttpResponse;
}

/** What a representation is made of. */
export interface RepresentationParts {
  readonly contentType: string;
  readonly cacheControl: string;
  /** Whether the choice depends on what the client accepts. */
  readonly varies: boolean;
  /** Of the file the content comes from. */
  readonly stat: BigIntStats;
  readonly coding?: Coding;
  /** Compressed here: {@link bytes} are not those of the file. */
  readonly isDerived?: boolean;
  readonly bytes?: Buffer | undefined;
}

/** Prepares a representation. Its header lists are frozen: whoever sends them may serialise them once. */
export function createRepresentation(parts: RepresentationParts): Representation {
  const { contentType, coding, bytes, stat, isDerived = false } = parts;
  const validators = validatorsOf(parts);
  const sizeBytes = isDerived && bytes !== undefined ? bytes.length : Number(stat.size);
  const described = describe(parts, validators);
  const fields: HeaderPair[] = [
    ['Content-Type', contentType],
    ['Content-Length', String(sizeBytes)],
  ];
  if (coding !== undefined) fields.push(['Content-Encoding', coding]);
  fields.push(...described);
  if (!isDerived) fields.push(['Accept-Ranges', 'bytes']);
  fields.push(['X-Content-Type-Options', 'nosniff']);
  const headers = Object.freeze(fields);
  const head = { status: 200, headers };
  return {
    coding,
    contentType,
    sizeBytes,
    validators,
    isFile: !isDerived,
    bytes,
    whole: bytes === undefined ? head : { ...head, body: bytes },
    head,
    unchanged: { status: 304, headers: Object.freeze(described) },
  };
}

/**
 * A file's tag is strong and of its own bytes: size and time of change in nanoseconds, so that two states of one
 * second and one size are told apart, and the coding. What is compressed here is first sent fast and later small: the
 * same content in other bytes, which is what a weak tag says (RFC 9110, section 8.8.1).
 */
function validatorsOf({ stat, coding, isDerived }: RepresentationParts): Validators {
  const state = `${stat.size.toString(16)}-${stat.mtimeNs.toString(16)}`;
  const tag = coding === undefined ? `"${state}"` : `"${state}-${coding}"`;
  return {
    etag: isDerived === true ? `W/${tag}` : tag,
    modifiedMs: Number(stat.mtimeMs / 1000n) * 1000,
  };
}

/** What 304 must say as 200 would (RFC 9110, section 15.4.5). */
function describe({ varies, cacheControl }: RepresentationParts, validators: Validators): HeaderPair[] {
  const fields: HeaderPair[] = [];
  if (varies) fields.push(['Vary', 'Accept-Encoding']);
  fields.push(['ETag', validators.etag]);
  // A change in the future is told as of now (RFC 9110, section 8.8.2.1).
  const modified = formatHttpDate(Math.min(validators.modifiedMs, Date.now()));
  if (modified !== undefined) fields.push(['Last-Modified', modified]);
  fields.push(['Cache-Control', cacheControl]);
  return fields;
}
