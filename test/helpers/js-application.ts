import { existsSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { TestContext } from 'node:test';
import { createJsHandler, type JsOptions } from '../../src/core/handlers/js/index.js';
import { Events, serveHandler } from './serve-handler.js';
import { tempDir } from './temp-dir.js';

const MODULES = process.env.NETTOOL_TEST_MODULES ?? resolve('node_modules');

/** Skips a test whose package is not installed. */
export function needsPackage(name: string): { skip?: string } {
  return existsSync(join(MODULES, name)) ? {} : { skip: `package ${name} is not installed` };
}

/** Writes an application into a folder of its own and hosts it. */
export async function hostJs(
  t: TestContext,
  text: string,
  name = 'app.mjs',
  options: Partial<JsOptions> = {},
) {
  const folder = tempDir(t);
  writeFileSync(join(folder, name), text);
  symlinkSync(MODULES, join(folder, 'node_modules'));
  const events = new Events();
  const handler = await createJsHandler({
    file: join(folder, name),
    onEvent: events.add,
    bootTimeoutMs: 3000,
    ...options,
  });
  return { handler, events, folder };
}

/** The same behind a server. */
export async function startJs(t: TestContext, text: string, name?: string, options?: Partial<JsOptions>) {
  const { handler, events } = await hostJs(t, text, name, options);
  return { ...(await serveHandler(t, handler)), handler, events };
}
