import { close, closeSync, read, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { openSendfile, type SendfileSocket } from '../../platform/sendfile.js';
import type { FileBody } from '../messages.js';
import type { Sender } from './send-content.js';
import type { Wire } from './wire.js';

const readInto = promisify(read);

/** Up to here a file is read at once and leaves with its head: cheaper than any waiting. */
const AT_ONCE_BYTES = 65_536;
const BLOCK_BYTES = 256 * 1024;
/** Blocks that are kept for the next transfer. */
const MAX_SPARE_BLOCKS = 16;
const spareBlocks: Buffer[] = [];

/** What one call of sendfile may take from the disk before others have their turn. */
const SLICE_BYTES = 2 * 1024 * 1024;
const LITTLE_BYTES = 4096;
/** A call that took longer has waited, for a disk it may be: what comes next is read in libuv's threads. */
const SLOW_CALL_MS = 20;
/** How much of it, before the kernel's way is tried again; twice as much each time, as it may also have been the scheduler. */
const AFTER_SLOW_BYTES = 2 * 1024 * 1024;

/** Sends a part of an open file and closes it. */
export function sendFile(wire: Wire, head: string, file: FileBody, sender: Sender): void {
  if (file.length <= AT_ONCE_BYTES) sendSmallFile(wire, head, file, sender);
  else void new FileSender(wire, file, sender).send(head);
}

function sendSmallFile(wire: Wire, head: string, file: FileBody, sender: Sender): void {
  const out = Buffer.allocUnsafe(head.length + file.length);
  let at = out.write(head, 'latin1');
  try {
    while (at < out.length) {
      const got = readSync(file.fd, out, at, out.length - at, file.offset + at - head.length);
      if (got === 0) throw new RangeError('the file is shorter than it was');
      at += got;
    }
  } catch (error) {
    sender.sent(-1, error);
    return;
  } finally {
    closeSync(file.fd);
  }
  wire.bytes(out);
  sender.sent(file.length);
}

/** Sends a large file: by sendfile(2) where there is one, else in blocks, one read while one is written. */
class FileSender {
  readonly #wire: Wire;
  readonly #file: FileBody;
  readonly #sender: Sender;
  #bytes = 0;
  #isGone = false;
  /** Ends a wait for the client. */
  #wake: (() => void) | undefined;

  constructor(wire: Wire, file: FileBody, sender: Sender) {
    this.#wire = wire;
    this.#file = file;
    this.#sender = sender;
    wire.source = {
      destroy: () => {
        this.#isGone = true;
        this.#wake?.();
      },
    };
  }

  async send(head: string): Promise<void> {
    let failure: unknown;
    let kernel: SendfileSocket | undefined;
    try {
      this.#wire.text(head);
      // The head may wait for others to join it; what goes past the wire must not overtake it.
      this.#wire.flush();
      const socket = this.#descriptor();
      kernel = socket === undefined ? undefined : openSendfile(socket);
      for (let blockBytes = AFTER_SLOW_BYTES; kernel !== undefined; blockBytes *= 2) {
        await this.#sendThroughKernel(kernel);
        if (this.#bytes === this.#file.length) break;
        await this.#sendBlocks(this.#bytes + blockBytes);
      }
      await this.#sendBlocks(this.#file.length);
    } catch (error) {
      failure = error;
    }
    kernel?.close();
    close(this.#file.fd, () => {});
    this.#sender.sent(this.#bytes, failure);
  }

  /** Until all is sent, or it turns out that the disk is slow. */
  async #sendThroughKernel(kernel: SendfileSocket): Promise<void> {
    const { fd, offset, length } = this.#file;
    while (this.#bytes < length) {
      const before = performance.now();
      // The kernel knows nothing of what still waits in this process.
      const isFree = this.#wire.socket.writableLength === 0;
      const count = Math.min(SLICE_BYTES, length - this.#bytes);
      const taken = isFree ? kernel.send(fd, offset + this.#bytes, count) : -1;
      const isSlow = performance.now() - before > SLOW_CALL_MS;
      if (taken > 0) this.#bytes += taken;
      if (taken > 0 && taken < count) await this.#waitForRoom(kernel);
      // Failed or short: a little the ordinary way waits for room, and meets the error if there is one.
      else if (taken < count) await this.#sendLittle();
      if (isSlow) return;
      if (this.#isGone) throw new Error('the client has left');
    }
  }

  #waitForRoom(kernel: SendfileSocket): Promise<void> {
    return this.#wire.progress((done) => {
      this.#wake = done;
      if (!kernel.whenWritable(done)) done();
    });
  }

  async #sendLittle(): Promise<void> {
    const { fd, offset, length } = this.#file;
    const little = Buffer.allocUnsafe(Math.min(LITTLE_BYTES, length - this.#bytes));
    const got = readSync(fd, little, 0, little.length, offset + this.#bytes);
    if (got === 0) throw new RangeError('the file is shorter than it was');
    await this.#wire.taken(little.subarray(0, got));
    this.#bytes += got;
  }

  #descriptor(): number | undefined {
    if (!this.#wire.isPlain) return undefined;
    // Not a public name; where it is missing, files are sent in blocks.
    const handle = (this.#wire.socket as unknown as { _handle?: { fd?: unknown } })._handle;
    return typeof handle?.fd === 'number' && handle.fd >= 0 ? handle.fd : undefined;
  }

  async #sendBlocks(upTo: number): Promise<void> {
    const { fd, offset, length } = this.#file;
    const end = Math.min(upTo, length);
    let writing: Promise<void> = Promise.resolve();
    let reading = this.#bytes;
    while (reading < end) {
      const block = spareBlocks.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES);
      try {
        const { bytesRead } = await readInto(
          fd,
          block,
          0,
          Math.min(BLOCK_BYTES, end - reading),
          offset + reading,
        );
        if (bytesRead === 0) throw new RangeError('the file is shorter than it was');
        await writing;
        if (this.#isGone) throw new Error('the client has left');
        reading += bytesRead;
        writing = this.#wire.taken(block.subarray(0, bytesRead)).then(() => {
          this.#bytes += bytesRead;
          if (spareBlocks.length < MAX_SPARE_BLOCKS) spareBlocks.push(block);
        });
        // Awaited a turn later; until then its failure is nobody's.
        writing.catch(() => {});
      } catch (error) {
        await writing.catch(() => {});
        throw error;
      }
    }
    await writing;
  }
}
