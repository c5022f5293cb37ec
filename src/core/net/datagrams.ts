import { NettoolError } from '../errors.js';
import type { Sink } from './flow.js';

/** What fits into one UDP datagram over IPv4: 65535 less the headers of IP and UDP. */
export const LARGEST_DATAGRAM = 65_507;

const LF = 10;

/** Cuts a stream of bytes into datagrams. */
export interface DatagramCutter {
  readonly sink: Sink;
  /** Sends what is left when the stream has ended. */
  finish(): Promise<void>;
}

/** A datagram per line, its newline included, or per so many bytes. */
export function createDatagramCutter(
  send: (datagram: Buffer) => Promise<void>,
  chunkBytes: number | undefined,
): DatagramCutter {
  let rest: Buffer = Buffer.alloc(0);
  const cut = (bytes: Buffer): number => {
    if (chunkBytes !== undefined) return bytes.length >= chunkBytes ? chunkBytes : 0;
    return bytes.indexOf(LF) + 1;
  };
  const refuseLong = (size: number): void => {
    if (size <= LARGEST_DATAGRAM) return;
    throw new NettoolError('TOO_LARGE', `a line of ${size} bytes or more does not fit into a datagram`, {
      hint: '--chunk SIZE sends so many bytes in each datagram, whatever they are',
    });
  };
  return {
    async sink(bytes) {
      let left = rest.length === 0 ? bytes : Buffer.concat([rest, bytes]);
      for (let size = cut(left); size > 0; size = cut(left)) {
        refuseLong(size);
        await send(left.subarray(0, size));
        left = left.subarray(size);
      }
      refuseLong(left.length);
      rest = Buffer.from(left);
    },
    async finish() {
      if (rest.length > 0) await send(rest);
    },
  };
}
