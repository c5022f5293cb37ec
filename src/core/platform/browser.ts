import { spawn } from 'node:child_process';
import { platform } from './os.js';

/** How each system opens a URL with what its user has chosen for it. */
const OPENERS: Readonly<Partial<Record<NodeJS.Platform, readonly [command: string, ...args: string[]]>>> = {
  darwin: ['open'],
  // `start` takes its first quoted word for a title.
  win32: ['cmd', '/c', 'start', '""'],
};

/**
 * Opens a URL of ours in the browser. Resolves with whether there was something to open it with; never throws, and
 * does not wait for the browser.
 */
export function openBrowser(
  url: string,
  env: Readonly<Record<string, string | undefined>> = process.env,
): Promise<boolean> {
  const [command, ...args] = OPENERS[platform] ?? ['xdg-open'];
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const child = spawn(command, [...args, url], { detached: true, stdio: 'ignore', env: { ...env } });
  child.once('error', () => resolve(false));
  child.once('spawn', () => {
    child.unref();
    resolve(true);
  });
  return promise;
}
