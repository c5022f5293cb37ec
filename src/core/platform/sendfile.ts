import { allocateNative, bindLibrary } from './ffi.js';
import { platform } from './os.js';

/** `sendfile(2)`: how many bytes went from a file to a socket; 0 at the file's end, -1 when none could. */
export type Sendfile = (socket: number, file: number, offset: number, length: number) => number;

let sendfile: Sendfile | undefined;
let wasTried = false;

/** The system's sendfile, or undefined where there is none to call. */
export function loadSendfile(): Sendfile | undefined {
  if (!wasTried) {
    wasTried = true;
    sendfile = bindSendfile();
  }
  return sendfile;
}

function bindSendfile(): Sendfile | undefined {
  if (platform !== 'linux') return undefined;
  const libc = bindLibrary(null, {
    sendfile: { arguments: ['int32', 'int32', 'pointer', 'uint64'], return: 'int64' },
  });
  // The kernel reads the offset from memory, which must neither move nor be collected.
  const place = libc === undefined ? undefined : allocateNative(8);
  if (libc === undefined || place === undefined) return undefined;
  return (socket, file, at, length) => {
    place.bytes.writeBigInt64LE(BigInt(at));
    return Number(libc.sendfile(socket, file, place.pointer, BigInt(length)));
  };
}
