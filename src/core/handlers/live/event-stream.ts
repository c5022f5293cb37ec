import { Readable } from 'node:stream';
import type { HttpResponse } from '../../http/messages.js';

/** Comes often enough that nothing on the way takes the connection for dead. */
const HEARTBEAT_MS = 10_000;

/** A client that has not read this much is gone in all but name. */
const MOST_UNREAD_BYTES = 64 * 1024;

/** Event streams (HTML, section 9.2) to any number of clients. */
export class EventStreams {
  readonly #streams = new Set<Readable>();
  #heartbeat: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** A stream that begins with one event and gets all that follow. */
  open(type: string, data: string): HttpResponse {
    if (this.#isClosed) return { status: 204, headers: [] };
    const stream = new Readable({ read() {} });
    stream.push(format(type, data));
    this.#streams.add(stream);
    stream.on('close', () => this.#forget(stream));
    this.#heartbeat ??= setInterval(() => this.#send(':\n\n'), HEARTBEAT_MS).unref();
    return {
      status: 200,
      headers: [
        ['Content-Type', 'text/event-stream'],
        ['Cache-Control', 'no-store'],
        ['X-Content-Type-Options', 'nosniff'],
        // nginx and its like would hold events back.
        ['X-Accel-Buffering', 'no'],
      ],
      body: stream,
    };
  }

  /** Tells every client. */
  broadcast(type: string, data: string): void {
    this.#send(format(type, data));
  }

  /** Ends every stream; later ones are refused in the way that stops a browser from asking again. */
  close(): void {
    this.#isClosed = true;
    clearInterval(this.#heartbeat);
    for (const stream of this.#streams) stream.push(null);
  }

  #send(text: string): void {
    for (const stream of this.#streams) {
      if (stream.readableLength > MOST_UNREAD_BYTES) stream.destroy();
      else stream.push(text);
    }
  }

  #forget(stream: Readable): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    clearInterval(this.#heartbeat);
    this.#heartbeat = undefined;
  }
}

function format(type: string, data: string): string {
  return `event: ${type}\ndata: ${data}\n\n`;
}
