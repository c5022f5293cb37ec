import type { IncomingRequest } from '../../http/messages.js';

/**
 * The second argument of `fetch`: who asks, in our words and, for applications that were written for another host, in
 * those of @hono/node-server (`incoming.socket`), Deno (`remoteAddr`) and Bun (`requestIP()`).
 */
export class FetchEnvironment {
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly localAddress: string;
  readonly localPort: number;
  readonly scheme: 'http' | 'https';
  readonly waitUntil: (promise: unknown) => void;

  constructor(request: IncomingRequest, waitUntil: (promise: unknown) => void) {
    this.remoteAddress = request.remoteAddress;
    this.remotePort = request.remotePort;
    this.localAddress = request.localAddress;
    this.localPort = request.localPort;
    this.scheme = request.scheme;
    this.waitUntil = waitUntil;
  }

  get remoteAddr() {
    return { transport: 'tcp', hostname: this.remoteAddress, port: this.remotePort };
  }

  get incoming() {
    const { remoteAddress, remotePort, localAddress, localPort } = this;
    return { socket: { remoteAddress, remotePort, remoteFamily: this.#family, localAddress, localPort } };
  }

  requestIP() {
    return { address: this.remoteAddress, port: this.remotePort, family: this.#family };
  }

  get #family(): 'IPv4' | 'IPv6' {
    return this.remoteAddress.includes(':') ? 'IPv6' : 'IPv4';
  }
}
