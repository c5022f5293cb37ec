import { lstat, mkdir, rmdir, unlink } from 'node:fs/promises';
import type { HttpResponse } from '../../http/messages.js';
import type { UploadContext } from './index.js';
import { type Destination, openPlace, requireCleanName } from './place.js';
import { encodePath } from './put.js';
import { Refusal } from './refusal.js';

/** Makes a folder (MKCOL, RFC 4918, section 9.3). */
export async function makeFolder(
  { folder, name }: Destination,
  { root }: UploadContext,
): Promise<HttpResponse> {
  requireCleanName(name);
  const place = await openPlace(root, folder, false);
  try {
    await mkdir(place.pathOf(name));
  } finally {
    place.close();
  }
  return { status: 201, headers: [['Location', `${encodePath(folder + name)}/`]], body: '' };
}

/** Deletes a file, a link itself (never what it leads to), or an empty folder. */
export async function remove(
  { folder, name }: Destination,
  path: string,
  { root, rules, showHidden }: UploadContext,
): Promise<HttpResponse> {
  if (`${folder}${name}/` === rules.folder) throw new Refusal(403, 'the folder for uploads stays');
  if (!showHidden && name.startsWith('.')) throw new Refusal(404, 'there is no such file');
  const place = await openPlace(root, folder, false);
  try {
    const isFolder = (await lstat(place.pathOf(name))).isDirectory();
    if (!isFolder && path.endsWith('/')) throw new Refusal(404, 'there is no such folder');
    await (isFolder ? rmdir : unlink)(place.pathOf(name)).catch(explainNotEmpty);
  } finally {
    place.close();
  }
  return { status: 204, headers: [] };
}

function explainNotEmpty(error: NodeJS.ErrnoException): never {
  if (error.code === 'ENOTEMPTY') throw new Refusal(409, 'the folder is not empty');
  throw error;
}
