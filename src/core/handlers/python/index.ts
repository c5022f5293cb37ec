import { NettoolError } from '../../errors.js';
import type { Handler } from '../../http/handler.js';
import { unpackAssets } from '../../platform/assets.js';
import { isWindows } from '../../platform/os.js';
import { PythonHost } from './host.js';
import { HOST_FILES } from './host-files.js';
import { findPython } from './interpreter.js';
import { cleanPrefix } from './mount.js';
import { DEFAULTS, type PythonOptions, type SettledOptions } from './options.js';
import { searchFolder } from './target.js';
import type { ApplicationInfo } from './worker.js';

/** A running Python application. */
export interface PythonHandler extends Handler {
  readonly kind: 'wsgi' | 'asgi';
  /** What was found; of the newest generation. */
  readonly application: ApplicationInfo;
  readonly stats: PythonHost['stats'];
  /** Loads the application anew; rejects with the reason, the old code serving on, when that does not start. */
  reload(reason: string): Promise<void>;
  /** One worker more or fewer. */
  resize(change: 1 | -1, reason: string): Promise<void>;
  close(): Promise<void>;
}

/** Starts a Python application and resolves when it takes requests; rejects with why it does not start. */
export async function createPythonHandler(options: PythonOptions): Promise<PythonHandler> {
  if (isWindows) {
    throw new NettoolError('UNSUPPORTED', 'Python applications cannot be hosted on Windows yet', {
      hint: 'run nettool inside WSL, or start the application there and give its URL',
    });
  }
  const prefixes = { prefix: cleanPrefix(options.prefix), rootPath: cleanPrefix(options.rootPath) };
  const settled: SettledOptions = { ...DEFAULTS, ...options, ...prefixes };
  const { python, env, cwd, target } = settled;
  const choice = await findPython({ python, env, cwd, folder: searchFolder(target, cwd) });
  const script = await unpackAssets('python', HOST_FILES);
  const host = new PythonHost(settled, { ...choice, script });
  const giveUp = (): void => void host.close();
  settled.signal?.addEventListener('abort', giveUp, { once: true });
  try {
    settled.signal?.throwIfAborted();
    await host.start();
  } catch (error) {
    await host.close();
    // What it was ended by says more than that it has ended.
    settled.signal?.throwIfAborted();
    throw error;
  } finally {
    settled.signal?.removeEventListener('abort', giveUp);
  }
  settled.signal?.addEventListener('abort', () => host.retire(), { once: true });
  return toHandler(host);
}

function toHandler(host: PythonHost): PythonHandler {
  const { kind } = host.application;
  return {
    kind,
    get application() {
      return host.application;
    },
    get stats() {
      return host.stats;
    },
    handle: (request) => host.handle(request),
    // WSGI knows no other protocol: without this method an upgrade is answered as any request.
    ...(kind === 'asgi' && { upgrade: (request, socket, head) => host.upgrade(request, socket, head) }),
    reload: (reason) => host.reload(reason),
    resize: (change, reason) => host.resize(change, reason),
    close: () => host.close(),
  };
}
