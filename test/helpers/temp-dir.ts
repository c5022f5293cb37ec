import { mkdirSync, mkdtempSync, readdirSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';

/** A folder of its own for one test, gone when that is over; `files` are written into it. */
export function tempDir(t: TestContext, files: Readonly<Record<string, string | Uint8Array>> = {}): string {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'nettool-test-')));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
  return folder;
}

/** How many descriptors this process has open; `undefined` where the system does not tell. */
export function countDescriptors(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return undefined;
  }
}

/** Resolves once a folder is empty; an answer may be over before what its handler cleans up. */
export async function emptied(folder: string): Promise<void> {
  while (readdirSync(folder).length > 0) await new Promise((resolve) => setImmediate(resolve));
}
