import { createHash, type Hash } from 'node:crypto';
import type { Socket } from 'node:net';
import { NettoolError, toNettoolError } from '../errors.js';
import { spliceToPipe } from '../platform/splice.js';
import { formatHostPort, normalizeAddress } from './address.js';
import { limitRate, type Sink, writeTo } from './flow.js';
import type { CloseEvent, CloseReason } from './socket-events.js';

/** How a connection is looked after. */
export interface ConnectionOptions {
  readonly id: number;
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

/** Who waits for the end of what arrives. */
interface Receiving {
  readonly output: Output;
  /** The way to the output when there is a limit. */
  readonly limited: Sink | undefined;
  /** What the output is busy with. */
  waiting: Promise<void> | undefined;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * One connected socket, either end: counted, limited, watched, and with half-close as TCP has it. There may be ten
 * thousand of them: what each costs in listeners, closures and promises is counted too.
 */
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
  /** A TCP peer that has reset by now has no address either, but our end still has. */
  private readonly isUnix: boolean;
  private readonly hashes: { in: Hash; out: Hash } | undefined;
  private reason: CloseReason = 'fin';
  private endedBy: 'peer' | 'local' | undefined;
  private bytesOutAtPeerEnd = -1;
  private receiving: Receiving | undefined;
  private stopSplice: (() => void) | undefined;

  constructor(socket: Socket, options: ConnectionOptions) {
    this.id = options.id;
    this.socket = socket;
    this.options = options;
    this.remoteAddress = socket.remoteAddress && normalizeAddress(socket.remoteAddress);
    this.remotePort = socket.remotePort;
    this.isUnix = this.remoteAddress === undefined && socket.localAddress === undefined;
    this.hashes = options.checksum ? { in: createHash('sha256'), out: createHash('sha256') } : undefined;
    const send: Sink = (bytes) => this.write(bytes);
    this.send = options.limitRate === undefined ? send : limitRate(send, options.limitRate);
    socket.allowHalfOpen = true;
    if (options.idleTimeoutMs) socket.setTimeout(options.idleTimeoutMs, () => this.destroy('idle'));
    socket.on('end', () => this.onPeerEnd());
    socket.on('error', (error) => this.onError(error));
    this.closed = new Promise((resolve) => {
      socket.on('close', () => {
        this.onClose();
        resolve();
      });
    });
  }

  /** The peer as people call it. */
  get name(): string {
    if (this.remoteAddress !== undefined) return formatHostPort(this.remoteAddress, this.remotePort ?? 0);
    return this.isUnix ? 'the Unix socket' : 'the peer';
  }

  /** Everything that arrives, at the output's pace, to the peer's FIN; rejects when the connection breaks. To be called once. */
  receive(output: Output): Promise<void> {
    const { limitRate: limit, untouched, checksum } = this.options;
    const limited = limit === undefined ? undefined : limitRate((bytes) => this.take(bytes), limit);
    return new Promise((resolve, reject) => {
      this.receiving = { output, limited, resolve, reject, waiting: undefined };
      if (this.socket.readableEnded) return this.settle();
      if (this.socket.destroyed) return this.settle(this.error ?? ended());
      const plain = untouched === true && checksum !== true && limit === undefined;
      if (plain && output.pipeFd !== undefined && this.splice(output.pipeFd)) return;
      this.read();
    });
  }

  /** Reads what arrives and drops it. */
  discard(): Promise<void> {
    if (this.receiving === undefined) return this.receive({ sink: () => undefined });
    this.socket.resume();
    return this.closed;
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

  private read(): void {
    this.socket.on('data', (bytes: Buffer) => this.deliver(bytes)).resume();
  }

  /** While the output is busy nothing more is read: the bytes may only be lent. */
  private deliver(bytes: Buffer): void {
    const { receiving } = this;
    if (receiving === undefined) return;
    const wait = receiving.limited === undefined ? this.take(bytes) : receiving.limited(bytes);
    if (wait === undefined) return;
    this.socket.pause();
    receiving.waiting = wait;
    wait.then(
      () => {
        receiving.waiting = undefined;
        this.socket.resume();
      },
      (error) => this.settle(this.error ?? toNettoolError(error)),
    );
  }

  private take(bytes: Buffer): Promise<void> | undefined {
    this.bytesIn += bytes.length;
    this.hashes?.in.update(bytes);
    this.touch();
    return this.receiving?.output.sink(bytes);
  }

  private settle(error?: unknown): void {
    const { receiving } = this;
    if (receiving === undefined || receiving.output === NOWHERE) return;
    this.receiving = { ...receiving, output: NOWHERE };
    receiving.output.end?.();
    if (error === undefined) receiving.resolve();
    else receiving.reject(error);
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
    this.settleAfterLast();
  }

  /** The FIN may be here while the last bytes before it are still on their way to the output. */
  private settleAfterLast(): void {
    const waiting = this.receiving?.waiting;
    if (waiting === undefined) this.settle();
    else waiting.then(() => this.settle()).catch(() => {});
  }

  private onError(error: Error): void {
    if (this.socket.destroyed && this.reason !== 'fin') return;
    this.endedBy ??= 'peer';
    // A peer that has ended, and that we told nothing since, has only gone: its system answers a keep-alive with RST.
    if (this.peerEnded && this.bytesOut === this.bytesOutAtPeerEnd) return;
    this.error ??= toNettoolError(error, `lost the connection to ${this.name}`);
    this.reason = 'reset';
  }

  private onClose(): void {
    this.stopSplice?.();
    if (this.peerEnded) this.settleAfterLast();
    else this.settle(this.error ?? ended());
  }

  /** Begins to move what arrives to a pipe past this process; whether that can be done at all. */
  private splice(pipeFd: number): boolean {
    const fd = (this.socket as { _handle?: { fd?: unknown } })._handle?.fd;
    if (typeof fd !== 'number' || fd < 0) return false;
    const splice = spliceToPipe(fd, pipeFd, (size) => {
      this.bytesIn += size;
      this.touch();
    });
    if (splice === undefined) return false;
    this.stopSplice = () => splice.stop();
    splice.done.then((end) => {
      this.stopSplice = undefined;
      // Who owns the pipe meets the same end of it, and knows what that means.
      if (end === 'reader-gone') this.deliver(Buffer.alloc(1));
      // Reading the error took it off the socket, which would now only see an end.
      else if (end === 'reset') this.socket.destroy(Object.assign(new Error('read'), { code: 'ECONNRESET' }));
      // The FIN is left for the socket itself to meet, as is everything when this way is closed.
      else if (end !== 'stopped') this.read();
    });
    return true;
  }
}

/** Where bytes go that nobody waits for any more. */
const NOWHERE: Output = { sink: () => undefined };

function ended(): NettoolError {
  return new NettoolError('CONNECTION_BROKEN', 'the connection has ended');
}
