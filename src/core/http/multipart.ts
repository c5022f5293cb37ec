import { randomBytes } from 'node:crypto';
import { open as openFile } from 'node:fs/promises';
import type { BodySource } from './messages.js';

/** One part of a form (RFC 7578). */
export interface FormPart {
  readonly name: string;
  readonly filename?: string | undefined;
  readonly type?: string | undefined;
  /** Text, or a file of so many bytes that is read when it is sent. */
  readonly content: string | { readonly path: string; readonly sizeBytes: number };
}

const BLOCK_BYTES = 512 * 1024;

/** A form as a body that reads its files bit by bit while it is sent, and its Content-Type. */
export function createMultipart(parts: readonly FormPart[]): { body: BodySource; type: string } {
  const boundary = `nettool-${randomBytes(18).toString('base64url')}`;
  const heads = parts.map((part) => Buffer.from(`--${boundary}\r\n${headOf(part)}\r\n`));
  const end = Buffer.from(`--${boundary}--\r\n`);
  const sizeBytes = parts.reduce(
    (sum, { content }, index) => sum + (heads[index] as Buffer).length + sizeOf(content) + 2,
    end.length,
  );
  async function* open(): AsyncGenerator<Uint8Array> {
    for (const [index, { content }] of parts.entries()) {
      yield heads[index] as Buffer;
      if (typeof content === 'string') yield Buffer.from(content);
      else yield* readFile(content.path);
      yield Buffer.from('\r\n');
    }
    yield end;
  }
  return {
    body: { sizeBytes, isReplayable: true, open },
    type: `multipart/form-data; boundary=${boundary}`,
  };
}

/** A file as a body, read bit by bit while it is sent. */
export function fileBody(path: string, sizeBytes: number): BodySource {
  return {
    sizeBytes,
    isReplayable: true,
    open: () => readFile(path),
  };
}

/** A file through one block of memory, which is used again and again. */
async function* readFile(path: string): AsyncGenerator<Uint8Array> {
  const file = await openFile(path, 'r');
  try {
    const block = Buffer.allocUnsafeSlow(BLOCK_BYTES);
    for (;;) {
      const { bytesRead } = await file.read(block, 0, BLOCK_BYTES, null);
      if (bytesRead === 0) return;
      yield block.subarray(0, bytesRead);
    }
  } finally {
    await file.close();
  }
}

function headOf({ name, filename, type }: FormPart): string {
  const file = filename === undefined ? '' : `; filename="${escapeName(filename)}"`;
  const field = `Content-Disposition: form-data; name="${escapeName(name)}"${file}\r\n`;
  return type === undefined ? field : `${field}Content-Type: ${type}\r\n`;
}

/** As browsers do (the WHATWG's multipart/form-data encoding), so that no name can end its header line. */
function escapeName(name: string): string {
  return name.replaceAll('\r', '%0D').replaceAll('\n', '%0A').replaceAll('"', '%22');
}

function sizeOf(content: FormPart['content']): number {
  return typeof content === 'string' ? Buffer.byteLength(content) : content.sizeBytes;
}
