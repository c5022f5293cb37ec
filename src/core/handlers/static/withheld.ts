import { sep } from 'node:path';
import { createRealFolder } from '../real-folder.js';
import { endsInExtension } from '../script-extension.js';

/** Files that are programs of the site: what they print is for everybody, their source for nobody. */
export interface Withheld {
  /** `.php`: files whose names end so. */
  readonly extensions: readonly string[];
  /** Everything in these folders. */
  readonly folders: readonly string[];
}

/** Whether a real path belongs to a program. */
export type Withholds = (place: string) => boolean;

/** Makes the question. Folders count by where they really are, so that no link leads around it. */
export function createWithholding({ extensions, folders }: Withheld): Withholds {
  const places = folders.map(createRealFolder);
  return (place) =>
    endsInExtension(place, extensions) ||
    places.some((folder) => place === folder() || place.startsWith(folder() + sep));
}
