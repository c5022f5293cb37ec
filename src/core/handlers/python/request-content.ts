import { createWriteStream } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { getHeader } from '../../http/headers.js';
import type { IncomingRequest } from '../../http/messages.js';

/** Content up to this size travels to the worker as it is; more goes to a file first. */
const MAX_MEMORY = 1024 * 1024;

/** The whole content of a request, complete before a worker is bothered with it. */
export interface RequestContent {
  readonly length: number;
  /** The content itself, when it is small. */
  readonly bytes?: Uint8Array;
  /** A file that holds it; `remove` when it is done with. */
  readonly path?: string;
  remove?(): Promise<void>;
}

/** The length a request announces, if it does. */
export function announcedLength(request: IncomingRequest): number | undefined {
  const length = getHeader(request.headers, 'content-length');
  return length === undefined ? undefined : Number(length);
}

/** Reads a request's content to its end: into memory, and into a private file when it is large. */
export async function readContent(request: IncomingRequest): Promise<RequestContent> {
  const parts: Buffer[] = [];
  let length = 0;
  const iterator = request.body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  for (let part = await iterator.next(); part.done !== true; part = await iterator.next()) {
    parts.push(part.value);
    length += part.value.length;
    if (length > MAX_MEMORY) return spool(parts, iterator);
  }
  return { length, bytes: parts.length === 1 ? (parts[0] as Buffer) : Buffer.concat(parts, length) };
}

async function spool(first: Buffer[], rest: AsyncIterator<Buffer>): Promise<RequestContent> {
  const folder = await mkdtemp(join(tmpdir(), 'nettool-body-'));
  const remove = (): Promise<void> => rm(folder, { recursive: true, force: true });
  const path = join(folder, 'content');
  const file = createWriteStream(path, { mode: 0o600 });
  try {
    await pipeline(async function* () {
      yield* first.splice(0);
      for (let part = await rest.next(); part.done !== true; part = await rest.next()) yield part.value;
    }, file);
  } catch (error) {
    await remove();
    throw error;
  }
  return { length: file.bytesWritten, path, remove };
}

/** Hands content on as it comes, never more than `window` bytes ahead of who takes it. */
export class ContentPump {
  readonly #body: Readable;
  #credit: number;
  /** Credit for when the application first asks for content. */
  #held: number;
  #wake: (() => void) | undefined;

  /** With `isAwaited` nothing is read before the application asks for it: the client waits for `100 Continue`. */
  constructor(body: Readable, window: number, isAwaited: boolean) {
    this.#body = body;
    this.#credit = isAwaited ? 0 : window;
    this.#held = isAwaited ? window : 0;
  }

  /** So many bytes were taken; none when the application has begun to wait for some. */
  taken(bytes: number): void {
    this.#credit += bytes + this.#held;
    this.#held = 0;
    this.#wake?.();
  }

  /** Runs until the content ends; throws what ended it early. */
  async run(send: (part: Buffer) => void): Promise<void> {
    await this.#room();
    for await (const part of this.#body as AsyncIterable<Buffer>) {
      send(part);
      this.#credit -= part.length;
      await this.#room();
    }
  }

  async #room(): Promise<void> {
    while (this.#credit <= 0) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  /** Nobody takes any more. */
  stop(): void {
    this.#body.destroy();
    this.#credit = Infinity;
    this.#wake?.();
  }
}
