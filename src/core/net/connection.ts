import { createHash, type Hash } from 'node:crypto';
import type { Socket } from 'node:net';
import { type NettoolError, toNettoolError } from '../errors.js';
import { spliceToPipe } from '../platform/splice.js';
import { formatHostPort, normalizeAddress } from './address.js';
import { limitRate, type Sink, transfer, writeTo } from './flow.js';
import type { CloseEvent, CloseReason } from './socket-events.js';
import type { SocketReader } from './socket-reader.js';

/** How a connection is looked after. */
export interface ConnectionOptions {
  readonly id: number;
  /** Present when the socket was made with this reader's `onread`. */
  readonly reader?: SocketReader | undefined;
  /** Nothing has touched the socket yet, and it is not TLS: its descriptor may be read by splice(2). */
  readonly untouched?: boolean;
  /** Ends the connection when nothing moves for so long. */
  readonly idleTimeoutMs?: number | undefined;
  /** Bytes per second, each direction on its own. */
  readonly limitRate?: number | undefined;
  readonly checksum?: boolean | undefined;
  /** Sees every byte sent. */
  readonly onSent?: ((bytes: Buffer) => void) | undefined;
}

/** Where what arrives goes. */
export interface Output {
  readonly sink: Sink;
  /** A pipe that `sink` writes to unchanged: bytes may go to it past this process. */
  readonly pipeFd?: number | undefined;
  /** Nothing more is coming. */
  end?(): void;
}

/** One connected socket, either end: counted, limited, watched, and with half-close as TCP has it. */
export class Connection {
  readonly id: number;
  readonly socket: Socket;
  readonly remoteAddress: string | undefined;
  readonly remotePort: number | undefined;
  bytesIn = 0;
  bytesOut = 0;
  /** The peer has sent its FIN. */
  peerEnded = false;
  /** Why it broke, if it did. */
  error: NettoolError | undefined;
  /** Resolves when the socket is closed, however that came. */
  readonly closed: Promise<void>;
  /** Bytes to the peer, at its pace. */
  readonly send: Sink;
  /** Where what arrived was saved. */
  file: string | undefined;

  private readonly startedAt = performance.now();
  private readonly options: ConnectionOptions;
  private readonly hashes: { in: Hash; out: Hash } | undefined;
  private reason: CloseReason = 'fin';
  private endedBy: 'peer' | 'local' | undefined;
  private bytesOutAtPeerEnd = -1;
  private stopSplice: (() => void) | undefined;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.id = options.id;
    this.socket = socket;
    this.options = options;
    this.remoteAddress = socket.remoteAddress && normalizeAddress(socket.remoteAddress);
    this.remotePort = socket.remotePort;
    this.hashes = options.checksum ? { in: createHash('sha256'), out: createHash('sha256') } : undefined;
    this.send = this.limited((bytes) => this.write(bytes));
    socket.allowHalfOpen = true;
    if (options.idleTimeoutMs) socket.setTimeout(options.idleTimeoutMs, () => this.destroy('idle'));
    socket.once('end', () => this.onPeerEnd());
    socket.on('error', (error) => this.onError(error));
    this.closed = new Promise((resolve) => {
      socket.once('close', () => {
        this.stopSplice?.();
        resolve();
      });
    });
  }

  /** The peer as people call it. */
  get name(): string {
    if (this.remoteAddress === undefined) return 'the Unix socket';
    return formatHostPort(this.remoteAddress, this.remotePort ?? 0);
  }

  /** Everything that arrives, at the output's pace, to the peer's FIN; rejects when the connection breaks. */
  async receive({ sink, pipeFd, end }: Output): Promise<void> {
    const { reader, untouched, checksum, limitRate: limit } = this.options;
    const plain = untouched === true && checksum !== true && limit === undefined;
    try {
      if (plain && pipeFd !== undefined && (await this.splice(pipeFd, sink))) return;
      const counted = this.limited((bytes) => {
        this.bytesIn += bytes.length;
        this.hashes?.in.update(bytes);
        this.touch();
        return sink(bytes);
      });
      await (reader === undefined ? transfer(this.socket, counted) : reader.receive(this.socket, counted));
    } catch (error) {
      throw this.error ?? toNettoolError(error);
    } finally {
      end?.();
    }
  }

  /** Sends FIN after everything sent so far. */
  end(reason: CloseReason = 'fin'): void {
    if (this.socket.writableEnded || this.socket.destroyed) return;
    this.endedBy ??= 'local';
    if (reason !== 'fin') this.reason = reason;
    this.socket.end();
  }

  /** Ends both sides at once. */
  destroy(reason: CloseReason): void {
    if (this.socket.destroyed) return;
    this.reason = reason;
    this.endedBy ??= 'local';
    this.bytesOut -= this.socket.writableLength;
    this.stopSplice?.();
    this.socket.destroy();
  }

  /** The connection as it was. */
  closeEvent(): CloseEvent {
    return {
      type: 'close',
      id: this.id,
      bytesIn: this.bytesIn,
      bytesOut: this.bytesOut,
      durationMs: Math.round((performance.now() - this.startedAt) * 1000) / 1000,
      reason: this.reason,
      endedBy: this.endedBy ?? 'local',
      ...(this.hashes && {
        sha256In: this.hashes.in.copy().digest('hex'),
        sha256Out: this.hashes.out.copy().digest('hex'),
      }),
      ...(this.file !== undefined && { file: this.file }),
    };
  }

  private limited(sink: Sink): Sink {
    const { limitRate: limit } = this.options;
    return limit === undefined ? sink : limitRate(sink, limit);
  }

  private write(bytes: Buffer): Promise<void> | undefined {
    if (this.error !== undefined) return Promise.reject(this.error);
    this.bytesOut += bytes.length;
    this.hashes?.out.update(bytes);
    this.options.onSent?.(bytes);
    this.touch();
    return writeTo(this.socket, bytes, true)?.catch((error) => {
      throw this.error ?? toNettoolError(error, `cannot send to ${this.name}`);
    });
  }

  /** Slow traffic, and traffic that node does not see, is traffic. */
  private touch(): void {
    if (this.options.idleTimeoutMs) this.socket.setTimeout(this.options.idleTimeoutMs);
  }

  private onPeerEnd(): void {
    this.peerEnded = true;
    this.endedBy ??= 'peer';
    this.bytesOutAtPeerEnd = this.bytesOut;
  }

  private onError(error: Error): void {
    if (this.socket.destroyed && this.reason !== 'fin') return;
    this.endedBy ??= 'peer';
    // A peer that has ended, and that we told nothing since, has only gone: its system answers a keep-alive with RST.
    if (this.peerEnded && this.bytesOut === this.bytesOutAtPeerEnd) return;
    this.error ??= toNettoolError(error, `lost the connection to ${this.name}`);
    this.reason = 'reset';
  }

  /** Whether everything up to the peer's FIN went to the pipe past this process. */
  private async splice(pipeFd: number, sink: Sink): Promise<boolean> {
    const fd = (this.socket as { _handle?: { fd?: unknown } })._handle?.fd;
    if (typeof fd !== 'number' || fd < 0) return false;
    const splice = spliceToPipe(fd, pipeFd, (size) => {
      this.bytesIn += size;
      this.touch();
    });
    if (splice === undefined) return false;
    this.stopSplice = splice.stop;
    const end = await splice.done;
    this.stopSplice = undefined;
    if (end === 'unable') return false;
    // Who owns the pipe meets the same end of it, and knows what that means.
    if (end === 'reader-gone') await sink(Buffer.alloc(1));
    // Reading the error took it off the socket, which would now only see an end.
    if (end === 'reset')
      this.socket.destroy(Object.assign(new Error('read ECONNRESET'), { code: 'ECONNRESET' }));
    await transfer(this.socket, () => undefined);
    return true;
  }
}
