import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { Busboy, type BusboyInstance } from '@fastify/busboy';
import { cleanFileName } from './file-name.js';
import type { Place } from './place.js';
import { Refusal, toRefusal } from './refusal.js';
import { storeFile } from './store.js';

/** What became of a file in a form. */
export interface FormFile {
  /** The name it was given, or the cleaned one it would have had. */
  readonly name: string;
  readonly sizeBytes: number;
  readonly refusal: Refusal | undefined;
}

/** What a form may bring. */
export interface FormRules {
  readonly maxBytes: number;
  readonly overwrite: boolean;
}

/** The field that holds files. */
const FIELD = 'file';

/** Headers of parts, names of fields: all small. */
const LIMITS = { files: 1000, fields: 100, parts: 1100, fieldSize: 4096, headerPairs: 32, headerSize: 8192 };

/** What a form may have beside its files. */
export const FORM_OVERHEAD_BYTES = 1024 * 1024;

/** Stores the files of a multipart form (RFC 7578) in a folder; one that is refused does not stop the others. */
export async function receiveForm(
  body: Readable,
  contentType: string,
  place: Place,
  rules: FormRules,
): Promise<FormFile[]> {
  const parser = createParser(contentType);
  const files: Promise<FormFile>[] = [];
  const streams = new Set<Readable>();
  parser.on('file', (field, stream, sent) => {
    streams.add(stream);
    // An error is the reader's to know; without one it must not end the process.
    stream.on('error', () => {});
    const name = cleanFileName(sent ?? '');
    if (field !== FIELD || name === '') {
      stream.resume();
      return;
    }
    const file = storePart(stream, name, place, rules);
    // Looked at when the form is over; until then a failure must not pass for one that nobody looks at.
    file.catch(() => {});
    files.push(file);
  });
  try {
    // By its iterator: a form that is refused must not take the connection of its answer with it.
    const bytes = body.iterator({ destroyOnReturn: false });
    await pipeline(bytes, limit(rules.maxBytes + FORM_OVERHEAD_BYTES), parser);
  } catch (error) {
    for (const stream of streams) stream.destroy(new Error('the form broke off'));
    await Promise.allSettled(files);
    throw toFormRefusal(error);
  }
  return Promise.all(files);
}

function createParser(contentType: string): BusboyInstance {
  if (!/^multipart\/form-data\s*;/i.test(contentType)) {
    throw new Refusal(415, 'a multipart form is expected (multipart/form-data)');
  }
  try {
    return new Busboy({ headers: { 'content-type': contentType }, limits: LIMITS });
  } catch {
    throw new Refusal(400, 'the form has no boundary');
  }
}

async function storePart(stream: Readable, name: string, place: Place, rules: FormRules): Promise<FormFile> {
  try {
    const bytes = stream.iterator({ destroyOnReturn: false });
    const { sizeBytes } = await storeFile(place, name, bytes, rules);
    return { name, sizeBytes, refusal: undefined };
  } catch (error) {
    return { name, sizeBytes: 0, refusal: toRefusal(error) };
  } finally {
    // What is left of it must pass for the next one to come.
    stream.resume();
  }
}

/** The form as a whole is limited too: many files are as large as one. */
function limit(mostBytes: number) {
  return async function* (bytes: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    let count = 0;
    for await (const chunk of bytes) {
      count += chunk.byteLength;
      if (count > mostBytes) throw new Refusal(413, 'the form is too large');
      yield chunk;
    }
  };
}

/** The parser's complaints have no codes: whatever is neither ours nor the connection's is the form's fault. */
function toFormRefusal(error: unknown): unknown {
  if (error instanceof Refusal || (error as NodeJS.ErrnoException).code !== undefined) return error;
  return new Refusal(400, 'the form is malformed or broke off');
}
