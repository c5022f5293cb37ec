import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

/** An empty folder that is gone when the test ends. */
export function tempDir(t: TestContext): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'nettool-')));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}
