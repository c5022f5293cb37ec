import type { Socket } from 'node:net';

/** Connections that may wait for somebody to take them; those beyond are refused. */
const MAX_WAITING = 4096;

/** Who takes connections; one at a time, so that whoever is busy gets fewer. */
export interface Receiver {
  /** Hands a connection over; tells whether it has arrived. */
  take(socket: Socket, listener: number): Promise<boolean>;
}

interface Waiting {
  readonly socket: Socket;
  readonly listener: number;
}

/**
 * Gives connections to receivers by turns. What a receiver did not get because it died goes to the next; while there
 * is none, connections wait.
 */
export class Distributor {
  readonly #waiting: Waiting[] = [];
  readonly #receivers = new Set<Receiver>();
  /** Those that have nothing under way, in the order they became so. */
  readonly #free: Receiver[] = [];

  add(receiver: Receiver): void {
    this.#receivers.add(receiver);
    this.#free.push(receiver);
    this.#distribute();
  }

  remove(receiver: Receiver): void {
    this.#receivers.delete(receiver);
    const at = this.#free.indexOf(receiver);
    if (at !== -1) this.#free.splice(at, 1);
  }

  /** Takes a connection that was accepted, paused. */
  push(socket: Socket, listener: number): void {
    // A reset meanwhile is found out by whoever takes it.
    socket.on('error', () => {});
    if (this.#waiting.length >= MAX_WAITING) {
      socket.destroy();
      return;
    }
    // node:child_process would count it, for a server that waits for the connections it has given away.
    Object.assign(socket, { server: null });
    this.#waiting.push({ socket, listener });
    this.#distribute();
  }

  /** Refuses what still waits. */
  close(): void {
    for (const { socket } of this.#waiting.splice(0)) socket.destroy();
  }

  #distribute(): void {
    while (this.#free.length > 0 && this.#waiting.length > 0) {
      void this.#give(this.#free.shift() as Receiver, this.#waiting.shift() as Waiting);
    }
  }

  async #give(receiver: Receiver, waiting: Waiting): Promise<void> {
    const hasArrived = await receiver.take(waiting.socket, waiting.listener);
    // Only our own end of it: the receiver has another.
    if (hasArrived) waiting.socket.destroy();
    else this.#waiting.unshift(waiting);
    if (hasArrived && this.#receivers.has(receiver)) this.#free.push(receiver);
    this.#distribute();
  }
}
