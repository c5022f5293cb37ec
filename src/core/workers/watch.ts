import { type FSWatcher, watch } from 'node:fs';
import { basename } from 'node:path';

/** How long files have to be left alone before a change counts: editors write in several steps. */
const QUIET_MS = 100;

/** What to watch, and whom to tell. */
export interface WatchOptions {
  /** Whether a file of this name matters. */
  readonly accepts: (name: string) => boolean;
  /** Called once per burst of changes, with the name of the last. */
  readonly onChange: (name: string) => void;
}

/** Folders under watch. */
export interface FolderWatch {
  /** Watches these folders (not what is below them) from now on, instead of those before. */
  update(folders: Iterable<string>): void;
  close(): void;
}

/** Tells when files in folders change, so that workers can be replaced. */
export function watchFolders(options: WatchOptions): FolderWatch {
  const watchers = new Map<string, FSWatcher>();
  let timer: NodeJS.Timeout | undefined;
  const changed = (name: string): void => {
    clearTimeout(timer);
    timer = setTimeout(() => options.onChange(name), QUIET_MS);
  };
  const add = (folder: string): void => {
    try {
      const watcher = watch(folder, { persistent: false }, (_event, name) => {
        if (name !== null && options.accepts(basename(name))) changed(name);
      });
      // A folder that is removed is simply no longer watched.
      watcher.on('error', () => watchers.delete(folder));
      watchers.set(folder, watcher);
    } catch {
      // It is gone, or the system has no watches left: the others still work.
    }
  };
  return {
    update(folders) {
      const wanted = new Set(folders);
      for (const [folder, watcher] of watchers) {
        if (wanted.has(folder)) continue;
        watcher.close();
        watchers.delete(folder);
      }
      for (const folder of wanted) if (!watchers.has(folder)) add(folder);
    },
    close() {
      clearTimeout(timer);
      for (const watcher of watchers.values()) watcher.close();
      watchers.clear();
    },
  };
}
