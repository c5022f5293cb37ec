import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { NettoolError, toNettoolError } from '../core/errors.js';
import { looksSecret } from '../core/secrets.js';
import type { Context } from './context.js';

/** A value that a flag named instead of holding it. */
export interface SecretValue {
  readonly value: string;
  /** The environment variable it came from, for exports that can name it again. */
  readonly variable?: string | undefined;
  /** It came from `env:` or `@file`, so it is secret whatever it is called. */
  readonly isReference: boolean;
}

/** `env:NAME` or `@file` as what they hold, anything else as itself. References are kept out of messages from now on. */
export async function readSecret(context: Context, typed: string): Promise<SecretValue> {
  const variable = /^env:([A-Za-z_][A-Za-z0-9_]*)$/.exec(typed)?.[1];
  if (variable !== undefined) {
    const value = context.io.env[variable];
    if (value === undefined) throw new NettoolError('USAGE', `the environment has no ${variable}`);
    context.addSecret(value);
    return { value, variable, isReference: true };
  }
  if (!typed.startsWith('@') || typed.length === 1) return { value: typed, isReference: false };
  const value = (await readInput(context, typed.slice(1))).toString().replace(/\r?\n$/, '');
  context.addSecret(value);
  return { value, isReference: true };
}

/** The bytes of a file, or of stdin for `-`. */
export async function readInput(context: Context, path: string): Promise<Buffer> {
  if (path === '-') return Buffer.from(await readText(context.io.stdin));
  try {
    return await readFile(resolve(context.io.cwd, path), { signal: context.io.signal });
  } catch (error) {
    throw toInputError(error, path);
  }
}

/** What kept a file from being read. */
export function toInputError(error: unknown, path: string): NettoolError {
  const { message } = toNettoolError(error, `cannot read ${path}`);
  return new NettoolError('INPUT_FAILED', message, { cause: error });
}

/** A field of a JSON text that holds no list or object, or one of a form; as written. */
const BODY_FIELD =
  /"((?:[^"\\]|\\.)*)"\s*:\s*(?:"((?:[^"\\]|\\.)+)"|([^\s"{}[\],]+))|(?:^|&)([^=&\s]+)=([^&\s]+)/g;

/** Keeps the values of fields that look secret out of messages and reports: those of a JSON text or a form. */
export function rememberSecretFields(context: Context, body: string): void {
  for (const [, key, text, bare, name = key, value = text ?? bare] of body.matchAll(BODY_FIELD)) {
    if (value !== undefined && looksSecret(name ?? '')) context.addSecret(value);
  }
}
