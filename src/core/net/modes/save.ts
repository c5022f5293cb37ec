import { once } from 'node:events';
import { accessSync, constants, createWriteStream } from 'node:fs';
import { rename, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { finished } from 'node:stream/promises';
import { NettoolError, toNettoolError } from '../../errors.js';
import type { Connection } from '../connection.js';
import { toStream } from '../flow.js';
import type { Mode } from './mode.js';

/** Keeps what each connection sends in a file of its own, which gets its name when the connection ended well. */
export function saveMode(folder: string): Mode {
  try {
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const { message } = toNettoolError(cause, `cannot save into ${folder}`);
    throw new NettoolError('OUTPUT_FAILED', message, { cause });
  }
  return {
    descriptorsEach: 2,
    async handle(connection) {
      const path = join(folder, nameOf(connection));
      const file = createWriteStream(`${path}.part`, { flags: 'wx' });
      try {
        // Once it has a descriptor, bytes can be written from where they are.
        await once(file, 'open');
        await connection.receive({ sink: toStream(file) });
        file.end();
        await finished(file);
        await rename(`${path}.part`, path);
        connection.file = path;
      } catch (error) {
        file.destroy();
        // Nothing came: nothing is worth keeping.
        if (connection.bytesIn === 0) await unlink(`${path}.part`).catch(() => {});
        if (connection.error !== undefined) throw error;
        const { message } = toNettoolError(error, `cannot save to ${path}`);
        throw new NettoolError('OUTPUT_FAILED', message, { cause: error });
      }
    },
  };
}

/** `20261120T065512-0001-127.0.0.1-50512`: sorts by time, and never meets an earlier run's. */
function nameOf({ id, remoteAddress, remotePort }: Connection): string {
  const time = new Date().toISOString().replace(/[-:]|\.\d+Z/g, '');
  const peer = remoteAddress === undefined ? 'unix' : `${remoteAddress.replaceAll(':', '.')}-${remotePort}`;
  return `${time}-${String(id).padStart(4, '0')}-${peer}`;
}
