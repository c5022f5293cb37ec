import { Socket } from 'node:net';
import type { IncomingRequest } from '../../http/messages.js';

/**
 * What a Node application has as `req.socket`: it looks like the client's connection, lasts as long, and carries
 * nothing. Ending it is how an application breaks an exchange off.
 */
export class HostedSocket extends Socket {
  /** The request it stands for now. */
  request: IncomingRequest;
  /** The answer under way, as node:http has it. */
  _httpMessage: { emit(event: 'timeout', socket: Socket): boolean } | null = null;

  /**
   * What it carries now, told when it is ended. An object and not a function: V8 makes functions that are assigned to
   * a property old from birth, and what one knows, here a whole exchange, would not be collected young.
   */
  exchange: { onSocketEnd(): void } | undefined;

  constructor(request: IncomingRequest) {
    super();
    this.request = request;
    this.on('timeout', function onTimeout(this: HostedSocket) {
      if (this._httpMessage?.emit('timeout', this) !== true) this.destroy();
    });
  }

  /** Whether it looks the same for that request. */
  standsFor({ remoteAddress, remotePort, scheme }: IncomingRequest): boolean {
    const { request } = this;
    return (
      request.remoteAddress === remoteAddress &&
      request.remotePort === remotePort &&
      request.scheme === scheme
    );
  }

  override address() {
    const { localAddress, localPort } = this.request;
    return { address: localAddress, family: familyOf(localAddress), port: localPort };
  }

  override _read(): void {}

  /** What is not written through a response would break its framing. */
  override _write(_chunk: unknown, _encoding: unknown, callback: () => void): void {
    callback();
  }

  override _writev(_chunks: unknown, callback: () => void): void {
    callback();
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    super._destroy(error, callback);
    this.exchange?.onSocketEnd();
  }

  override _final(callback: () => void): void {
    callback();
    this.destroy();
  }
}

function familyOf(address: string): 'IPv4' | 'IPv6' {
  return address.includes(':') ? 'IPv6' : 'IPv4';
}

const FIELDS: Readonly<Record<string, (request: IncomingRequest) => unknown>> = {
  remoteAddress: ({ remoteAddress }) => remoteAddress,
  remotePort: ({ remotePort }) => remotePort,
  remoteFamily: ({ remoteAddress }) => familyOf(remoteAddress),
  localAddress: ({ localAddress }) => localAddress,
  localPort: ({ localPort }) => localPort,
  localFamily: ({ localAddress }) => familyOf(localAddress),
  // Frameworks ask for it to tell https from http.
  encrypted: ({ scheme }) => scheme === 'https' || undefined,
};

for (const [name, read] of Object.entries(FIELDS)) {
  Object.defineProperty(HostedSocket.prototype, name, {
    configurable: true,
    enumerable: true,
    get(this: HostedSocket) {
      return read(this.request);
    },
  });
}
