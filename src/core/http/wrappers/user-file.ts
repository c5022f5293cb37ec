import { readFileSync, statSync } from 'node:fs';
import { NettoolError, toNettoolError } from '../../errors.js';
import { parsePasswordHash } from '../passwords/index.js';
import type { User } from './auth.js';

/** How often the file is looked at. */
const KNOWN_MS = 1000;

/**
 * The users of a file like htpasswd's, read anew when it changes. One that cannot be used is refused at first; later
 * the users of before remain, and `onProblem` hears why.
 */
export function openUserFile(path: string, onProblem: (error: Error) => void): () => readonly User[] {
  let state = stateOf(path);
  let users = readUsers(path);
  let lookedMs = performance.now();
  return () => {
    const now = performance.now();
    if (now - lookedMs < KNOWN_MS) return users;
    lookedMs = now;
    const found = stateOf(path);
    if (found === state) return users;
    state = found;
    try {
      users = readUsers(path);
    } catch (error) {
      onProblem(error as Error);
    }
    return users;
  };
}

function stateOf(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  return stat === undefined ? '' : `${stat.ino} ${stat.mtimeMs} ${stat.size}`;
}

function readUsers(path: string): User[] {
  const doing = `cannot take users from ${path}`;
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw toNettoolError(error, doing);
  }
  return text.split(/\r?\n/).flatMap((line, index) => {
    if (/^\s*(?:#|$)/.test(line)) return [];
    const [name = '', secret = ''] = line.split(':', 2);
    // nginx takes comments after another colon, and so do we; our own hashes have one inside.
    const password =
      parsePasswordHash(line.slice(name.length + 1).trim()) ?? parsePasswordHash(secret.trim());
    if (name !== '' && password !== undefined) return { name, password };
    throw new NettoolError('INPUT_FAILED', `${doing} (line ${index + 1} is no user with a known hash)`, {
      hint: 'htpasswd -B FILE NAME writes one',
    });
  });
}
