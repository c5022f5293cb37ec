import { createRequire } from 'node:module';
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
  const library = platform === 'linux' ? openSelf() : undefined;
  if (library === undefined) return undefined;
  try {
    const call = library.getFunction('sendfile', {
      arguments: ['int32', 'int32', 'pointer', 'uint64'],
      return: 'int64',
    });
    // The kernel reads the offset from memory, which must neither move nor be collected: its own buffer, held here.
    const offset = new BigInt64Array(new ArrayBuffer(8));
    const place = library.pointerTo(offset);
    return (socket, file, at, length) => {
      offset[0] = BigInt(at);
      return Number(call(socket, file, place, BigInt(length)));
    };
  } catch {
    return undefined;
  }
}

interface Library {
  getFunction(name: string, signature: object): (...values: unknown[]) => unknown;
  pointerTo(memory: ArrayBufferView): bigint;
}

/** The symbols of this process, libc's among them; undefined where node:ffi is missing or forbidden. */
function openSelf(): Library | undefined {
  const { emitWarning } = process;
  // Loading it warns that it is experimental: true, and nothing the person at the terminal could act on.
  process.emitWarning = () => {};
  try {
    const ffi = createRequire(import.meta.url)('node:ffi');
    const library = new ffi.DynamicLibrary(null);
    return {
      getFunction: (name, signature) => library.getFunction(name, signature),
      pointerTo: (memory) => ffi.getRawPointer(memory),
    };
  } catch {
    return undefined;
  } finally {
    process.emitWarning = emitWarning;
  }
}
