import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

/**
 * bcryptjs as text, for a thread of its own. Read from the package when the sources run; the build
 * (scripts/embed-texts.ts) puts the text itself in this module's place.
 */
export const BCRYPT_SOURCE = readFileSync(createRequire(import.meta.url).resolve('bcryptjs'), 'utf8');
