import { read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { makeZip } from 'client-zip';
import type { Visited } from './walk.js';

const readAt = promisify(read);

const CHUNK_BYTES = 256 * 1024;

/** Up to here a file is read at once, which for what the page cache holds is many times cheaper than in the thread pool. */
const READ_AT_ONCE_BYTES = 64 * 1024;

/** From here on small pieces have been put together long enough. */
const PACKET_BYTES = 64 * 1024;

/** The earliest and latest dates a ZIP can say. */
const FIRST_DATE_MS = Date.UTC(1980, 0, 2);
const LAST_DATE_MS = Date.UTC(2107, 11, 30);

/** With this many entries the end record's 16 bits no longer hold their number. */
const ZIP64_ENTRIES = 0xffff;

const END_BYTES = 22;

/**
 * The files as a ZIP, made while it is read: nothing is compressed (most of what is worth downloading is already), and
 * in memory is one chunk, and the central directory of what went before. ZIP64 where sizes or numbers need it.
 */
export async function* zipFiles(files: AsyncIterable<Visited>, prefix: string): AsyncGenerator<Uint8Array> {
  const counter = { entries: 0, bytes: 0 };
  const packets = toPackets(makeZip(toEntries(files, prefix, counter)));
  let last: Uint8Array | undefined;
  for await (const packet of packets) {
    if (last !== undefined) {
      counter.bytes += last.byteLength;
      yield last;
    }
    last = packet;
  }
  if (last !== undefined) yield withFullCount(last, counter);
}

async function* toEntries(files: AsyncIterable<Visited>, prefix: string, counter: { entries: number }) {
  for await (const { name, opened, isFolder } of files) {
    counter.entries += 1;
    const modifiedMs = Math.min(Math.max(Number(opened.stat.mtimeMs), FIRST_DATE_MS), LAST_DATE_MS);
    const entry = { name: harmless(prefix + name), lastModified: new Date(modifiedMs) };
    if (isFolder) {
      yield entry;
      continue;
    }
    if (opened.stat.size <= READ_AT_ONCE_BYTES) {
      yield { ...entry, input: readSmall(opened.fd, Number(opened.stat.size)) };
      continue;
    }
    const reader = new FileReading(opened.fd);
    try {
      yield { ...entry, input: reader.chunks() };
    } finally {
      // The descriptor is closed next, and its number given to another file: no read may still be under way.
      await reader.stop();
    }
  }
}

/** Where names are Windows' paths a backslash would lead out of the folder they are unpacked to. */
function harmless(name: string): string {
  return name.replace(/[\\\u0000-\u001f\u007f]/g, '_');
}

/** As much of a small file as there is. */
function readSmall(fd: number, sizeBytes: number): Uint8Array {
  const bytes = Buffer.allocUnsafe(sizeBytes);
  let filled = 0;
  for (let count = -1; filled < sizeBytes && count !== 0; filled += count) {
    count = readSync(fd, bytes, filled, sizeBytes - filled, filled);
  }
  return bytes.subarray(0, filled);
}

/** A file's bytes, until it ends or they are no longer wanted. */
class FileReading {
  readonly #fd: number;
  #stopped = false;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(fd: number) {
    this.#fd = fd;
  }

  async *chunks(): AsyncGenerator<Uint8Array> {
    for (let offset = 0; !this.#stopped; ) {
      const reading = readAt(this.#fd, Buffer.allocUnsafe(CHUNK_BYTES), 0, CHUNK_BYTES, offset);
      this.#reading = reading.catch(() => {});
      const { bytesRead, buffer } = await reading;
      if (bytesRead === 0) return;
      offset += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#reading;
  }
}

/** Headers and small files are put together; the end record, always the last, stays by itself. */
async function* toPackets(pieces: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let waiting: Uint8Array[] = [];
  let waitingBytes = 0;
  let previous: Uint8Array | undefined;
  const take = (): Uint8Array => {
    const packet = waiting.length === 1 ? (waiting[0] as Uint8Array) : Buffer.concat(waiting);
    waiting = [];
    waitingBytes = 0;
    return packet;
  };
  for await (const piece of pieces) {
    if (previous !== undefined) {
      waiting.push(previous);
      waitingBytes += previous.byteLength;
      if (waitingBytes >= PACKET_BYTES) yield take();
    }
    previous = piece;
  }
  if (waiting.length > 0) yield take();
  if (previous !== undefined) yield previous;
}

/**
 * The end record as it has to be: client-zip writes ZIP64's only when sizes call for it, and 65535 for any number of
 * entries from there on, which by itself means "see ZIP64" (APPNOTE 4.4.21). Then the records it left out go before.
 */
function withFullCount(end: Uint8Array, { entries, bytes }: { entries: number; bytes: number }): Uint8Array {
  const view = new DataView(end.buffer, end.byteOffset, end.byteLength);
  const directoryBytes = view.getUint32(12, true);
  const directoryAt = view.getUint32(16, true);
  const hasZip64 = directoryAt === 0xffffffff || directoryAt + directoryBytes !== bytes;
  if (end.byteLength !== END_BYTES || entries < ZIP64_ENTRIES || hasZip64) return end;
  const records = Buffer.alloc(76);
  records.writeUInt32LE(0x06064b50, 0);
  records.writeBigUInt64LE(44n, 4);
  records.writeUInt16LE(45, 12);
  records.writeUInt16LE(45, 14);
  records.writeBigUInt64LE(BigInt(entries), 24);
  records.writeBigUInt64LE(BigInt(entries), 32);
  records.writeBigUInt64LE(BigInt(directoryBytes), 40);
  records.writeBigUInt64LE(BigInt(directoryAt), 48);
  records.writeUInt32LE(0x07064b50, 56);
  records.writeBigUInt64LE(BigInt(bytes), 64);
  records.writeUInt32LE(1, 72);
  return Buffer.concat([records, end]);
}
