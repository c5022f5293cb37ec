import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Assets } from '../../platform/assets.js';

const FOLDER = join(import.meta.dirname, 'host');

/**
 * The Python side, by path. Read from beside this module when the sources run; the build (scripts/embed-texts.ts)
 * puts the text itself in this module's place.
 */
export const HOST_FILES: Assets = Object.fromEntries(
  readdirSync(FOLDER, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.py'))
    .sort()
    .map((name) => [name.replaceAll('\\', '/'), readFileSync(join(FOLDER, name), 'utf8')]),
);
