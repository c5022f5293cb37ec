import { existsSync, lstatSync, unlinkSync } from 'node:fs';
import { connect, type Server } from 'node:net';
import { dirname } from 'node:path';
import { NettoolError, toNettoolError } from '../errors.js';

const BACKLOG = 4096;

/** Longer names do not fit into a socket's address (unix(7): 108 bytes with the final zero; macOS: 104). */
const LONGEST_PATH_BYTES = 103;

/** Binds a server to a Unix socket. A file that a dead server left behind is replaced, a live server's never. */
export async function listenUnix(server: Server, path: string): Promise<void> {
  const doing = `cannot listen on ${path}`;
  if (Buffer.byteLength(path) > LONGEST_PATH_BYTES) {
    throw new NettoolError('USAGE', `${doing} (longer than ${LONGEST_PATH_BYTES} bytes)`);
  }
  try {
    await bind(server, path).catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EADDRINUSE') throw error;
      if (!lstatSync(path).isSocket()) {
        throw new NettoolError('ADDRESS_IN_USE', `${doing} (a file that is no socket is there)`);
      }
      if (await isAlive(path)) {
        throw new NettoolError('ADDRESS_IN_USE', `${doing} (another server listens there)`);
      }
      unlinkSync(path);
      await bind(server, path);
    });
  } catch (error) {
    // libuv says EACCES for a folder that is not there.
    if (!existsSync(dirname(path))) {
      throw new NettoolError('ADDRESS_NOT_AVAILABLE', `${doing} (no such folder)`, { cause: error });
    }
    throw toNettoolError(error, doing);
  }
}

function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path, backlog: BACKLOG }, () => {
      server.off('error', reject);
      server.on('error', () => {});
      resolve();
    });
  });
}

/** Whether anybody accepts connections there; a datagram socket that is held counts too. */
function isAlive(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', ({ code }: NodeJS.ErrnoException) =>
      resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'),
    );
  });
}
