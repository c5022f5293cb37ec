import type * as NodeFfi from 'node:ffi';
import { isWindows } from './os.js';

/** The module's name, for the source text of workers that need it too. */
export const FFI_MODULE = 'node:ffi';

/** The signatures of a library's functions, as `node:ffi` writes them. */
export type FunctionDefinitions = NodeFfi.FunctionDefinitions;

/** What {@link bindLibrary} makes of signatures. */
export type BoundFunctions<T extends FunctionDefinitions> = NodeFfi.WrappedFunctionsFromDefinitions<T>;

/** Memory the garbage collector neither moves nor frees: what a kernel or library keeps a pointer to. */
export interface NativeMemory {
  readonly pointer: bigint;
  /** The same memory as a Buffer; not to be touched after `free`. */
  readonly bytes: Buffer;
  free(): void;
}

let loaded: typeof NodeFfi | null | undefined;

/** Libraries stay open for good: a collected one would take its functions with it. */
const libraries = new Map<string | null, NodeFfi.DynamicLibrary | null>();

/** What was bound before, by its signatures. */
const bound = new WeakMap<FunctionDefinitions, object>();

/** Whether native functions can be called at all (Node 26.1 and later, not switched off by the permission model). */
export function hasFfi(): boolean {
  return loadFfi() !== undefined;
}

/**
 * The named functions of a library, or of this process (`null`: libc and libuv, on Linux and macOS);
 * `undefined` when FFI, the library or one of the functions is missing, so every caller has another way.
 */
export function bindLibrary<const T extends FunctionDefinitions>(
  path: string | null,
  definitions: T,
): BoundFunctions<T> | undefined {
  const known = bound.get(definitions) as BoundFunctions<T> | undefined;
  if (known !== undefined) return known;
  try {
    const functions = openLibrary(path)?.getFunctions(definitions);
    if (functions === undefined) return undefined;
    // Looked up before the first call: looking it up after one would overwrite it.
    errno ??= viewErrno();
    bound.set(definitions, functions);
    return functions;
  } catch {
    return undefined;
  }
}

/** Zeroed memory outside the JavaScript heap; `undefined` without FFI. */
export function allocateNative(sizeBytes: number): NativeMemory | undefined {
  const ffi = loadFfi();
  const heap = bindHeap();
  const pointer = heap?.calloc(1n, BigInt(sizeBytes));
  if (ffi === undefined || heap === undefined || pointer === undefined || pointer === 0n) return undefined;
  return {
    pointer,
    bytes: ffi.toBuffer(pointer, sizeBytes, false),
    free: () => heap.free(pointer),
  };
}

/** A copy of native memory. */
export function copyNative(pointer: bigint, sizeBytes: number): Buffer | undefined {
  return loadFfi()?.toBuffer(pointer, sizeBytes, true);
}

/**
 * The calling thread's `errno`. Node's own work may come between a call and this, so a value that makes no
 * sense for the call is a reason to try again, not to fail.
 */
export function readErrno(): number {
  return errno?.readInt32LE(0) ?? 0;
}

/**
 * Calls back whenever a descriptor has something to read (or an error is pending on it), by libuv's own poll;
 * returns what ends it, before the descriptor is closed. `undefined` where libuv cannot be reached.
 */
export function watchReadable(fd: number, onReadable: () => void): (() => void) | undefined {
  return watch(fd, UV_READABLE | UV_PRIORITIZED, onReadable);
}

/** Like {@link watchReadable}, for a descriptor that can be written to again. */
export function watchWritable(fd: number, onWritable: () => void): (() => void) | undefined {
  return watch(fd, UV_WRITABLE, onWritable);
}

function watch(fd: number, events: number, onEvent: () => void): (() => void) | undefined {
  const ffi = loadFfi();
  const libuv = bindLibrary(null, LIBUV);
  if (ffi === undefined || libuv === undefined) return undefined;
  const handle = allocateNative(Number(libuv.uv_handle_size(UV_POLL)));
  if (handle === undefined) return undefined;
  const { pointer } = handle;
  if (libuv.uv_poll_init(ffi.getCurrentEventLoop(), pointer, fd) !== 0) {
    handle.free();
    return undefined;
  }
  watchers.set(pointer, onEvent);
  // From here on libuv knows the handle: it may only be freed by the close callback, which is `free` itself.
  const stop = (): void => {
    if (!watchers.delete(pointer)) return;
    libuv.uv_poll_stop(pointer);
    libuv.uv_close(pointer, symbolOf('free'));
  };
  if (libuv.uv_poll_start(pointer, events, pollCallback()) === 0) return stop;
  stop();
  return undefined;
}

const UV_POLL = 8;
const UV_READABLE = 1;
const UV_WRITABLE = 2;
const UV_PRIORITIZED = 8;

const watchers = new Map<bigint, () => void>();
let errno: Buffer | undefined;
let callback: bigint | undefined;
let ticking = false;

/** One C callback for all watchers: it is never unregistered, as that is not allowed while it runs. */
function pollCallback(): bigint {
  callback ??= openLibrary(null)?.registerCallback(
    { arguments: ['pointer', 'int32', 'int32'], return: 'void' },
    (handle) => {
      try {
        watchers.get(handle as bigint)?.();
      } catch (error) {
        // An exception must not cross C.
        setImmediate(() => {
          throw error;
        });
      }
      // Node does not run promises and ticks after such a callback; an immediate makes it.
      if (ticking) return;
      ticking = true;
      setImmediate(() => {
        ticking = false;
      });
    },
  );
  return callback ?? 0n;
}

const HEAP = {
  calloc: { arguments: ['uint64', 'uint64'], return: 'pointer' },
  free: { arguments: ['pointer'], return: 'void' },
} as const;

function bindHeap() {
  return bindLibrary(isWindows ? 'ucrtbase.dll' : null, HEAP);
}

const LIBUV = {
  uv_handle_size: { arguments: ['int32'], return: 'uint64' },
  uv_poll_init: { arguments: ['pointer', 'pointer', 'int32'], return: 'int32' },
  uv_poll_start: { arguments: ['pointer', 'int32', 'pointer'], return: 'int32' },
  uv_poll_stop: { arguments: ['pointer'], return: 'int32' },
  uv_close: { arguments: ['pointer', 'pointer'], return: 'void' },
} as const;

/** glibc and musl call it `__errno_location`, macOS `__error`. */
function viewErrno(): Buffer | undefined {
  const signature = { arguments: [], return: 'pointer' } as const;
  const library = openLibrary(null);
  for (const name of ['__errno_location', '__error']) {
    try {
      const location = library?.getFunction(name, signature)();
      return location === undefined ? undefined : loadFfi()?.toBuffer(location, 4, false);
    } catch {
      // The other system's name.
    }
  }
  return undefined;
}

function symbolOf(name: string): bigint {
  return openLibrary(null)?.getSymbol(name) ?? 0n;
}

function openLibrary(path: string | null): NodeFfi.DynamicLibrary | undefined {
  let library = libraries.get(path);
  if (library === undefined) {
    library = tryOpen(path);
    libraries.set(path, library);
  }
  return library ?? undefined;
}

function tryOpen(path: string | null): NodeFfi.DynamicLibrary | null {
  const ffi = loadFfi();
  try {
    return ffi === undefined ? null : new ffi.DynamicLibrary(path);
  } catch {
    return null;
  }
}

/** Loads `node:ffi` once, without the warning that it is experimental: our users did not choose it. */
function loadFfi(): typeof NodeFfi | undefined {
  if (loaded === undefined) {
    const { emitWarning } = process;
    process.emitWarning = ((warning: string | Error, ...rest: unknown[]) => {
      if (!String(warning).startsWith('FFI is an experimental feature'))
        Reflect.apply(emitWarning, process, [warning, ...rest]);
    }) as typeof process.emitWarning;
    try {
      loaded = process.getBuiltinModule(FFI_MODULE) ?? null;
    } catch {
      loaded = null;
    } finally {
      process.emitWarning = emitWarning;
    }
  }
  return loaded ?? undefined;
}
