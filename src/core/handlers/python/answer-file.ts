import { close, fstat, open } from 'node:fs';
import { promisify } from 'node:util';
import { NettoolError } from '../../errors.js';
import type { FileBody } from '../../http/messages.js';

const openFile = promisify(open);
const statFile = promisify(fstat);

/** A part of a file, as a worker names it: `path NUL offset NUL length NUL device NUL inode`. */
export async function openAnswerFile(place: Buffer): Promise<FileBody> {
  const [path = '', offset = '', length = '', device, inode] = place.toString('utf8').split('\0');
  const fd = await openFile(path, 'r');
  try {
    const state = await statFile(fd, { bigint: true });
    // The worker says which file it means: another may have taken the name since.
    if (!state.isFile() || String(state.dev) !== device || String(state.ino) !== inode) {
      throw new NettoolError('INPUT_FAILED', `the file the application sends has changed: ${path}`);
    }
  } catch (error) {
    close(fd, () => {});
    throw error;
  }
  return { fd, offset: Number(offset), length: Number(length) };
}

/** Lets go of a file nobody will send. */
export function closeAnswerFile({ fd }: FileBody): void {
  close(fd, () => {});
}
