import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { PythonEvent } from '../../src/core/handlers/python/events.js';
import { createPythonHandler, type PythonHandler } from '../../src/core/handlers/python/index.js';
import type { PythonOptions } from '../../src/core/handlers/python/options.js';
import { serveHttp } from '../../src/core/http/server/index.js';

/** The folder of the test applications. */
export const APPS = resolve(import.meta.dirname, '../fixtures/apps/python');

/** The interpreter Debian's frameworks are installed for; another one to run the tests with. */
export const SYSTEM_PYTHON = process.env.NETTOOL_TEST_PYTHON ?? '/usr/bin/python3';

/** Why a test cannot run here, for `skip`. */
export const noSystemPython: string | false = existsSync(SYSTEM_PYTHON)
  ? false
  : `${SYSTEM_PYTHON} is not installed`;

/** Why a test that needs a Debian package cannot run here. */
export function without(module: string): string | false {
  if (noSystemPython !== false) return noSystemPython;
  const isThere =
    existsSync(`/usr/lib/python3/dist-packages/${module}`) ||
    existsSync(`/usr/lib/python3/dist-packages/${module}.py`);
  return isThere ? false : `the Python package ${module} is not installed`;
}

/** A Python application behind a real server. */
export interface HostedApplication {
  readonly handler: PythonHandler;
  readonly port: number;
  readonly url: string;
  readonly events: PythonEvent[];
  /** Resolves with the first event, past or future, that fits. */
  find<E extends PythonEvent['type']>(
    type: E,
    fits?: (event: Extract<PythonEvent, { type: E }>) => boolean,
  ): Promise<Extract<PythonEvent, { type: E }>>;
  get(path: string, init?: RequestInit): Promise<Response>;
}

/** Hosts an application until the test ends. */
export async function hostPython(
  t: TestContext,
  target: string,
  options: Partial<PythonOptions> = {},
): Promise<HostedApplication> {
  const events: PythonEvent[] = [];
  const waiting = new Set<() => void>();
  const handler = await createPythonHandler({
    target,
    cwd: APPS,
    env: process.env,
    python: SYSTEM_PYTHON,
    graceMs: 2000,
    ...options,
    onEvent(event) {
      events.push(event);
      for (const look of waiting) look();
      options.onEvent?.(event);
    },
  });
  const stop = new AbortController();
  const server = await serveHttp(handler, {
    host: '127.0.0.1',
    port: 0,
    signal: stop.signal,
    onEvent() {},
    graceMs: 100,
  });
  t.after(async () => {
    stop.abort();
    await handler.close();
    await server.closed;
    if (!t.passed) t.diagnostic(events.map((event) => JSON.stringify(event)).join('\n'));
  });
  return {
    handler,
    port: server.port,
    url: `http://127.0.0.1:${server.port}`,
    events,
    find(type, fits = () => true) {
      type Wanted = Extract<PythonEvent, { type: typeof type }>;
      return new Promise((resolve) => {
        const look = (): void => {
          const found = events.find((event) => event.type === type && fits(event as Wanted));
          if (found === undefined) return;
          waiting.delete(look);
          resolve(found as Wanted);
        };
        waiting.add(look);
        look();
      });
    },
    get: (path, init) => fetch(`http://127.0.0.1:${server.port}${path}`, init),
  };
}

/** What a path answers once it has stopped changing. */
export async function settled(app: HostedApplication, path: string): Promise<string> {
  let last = '';
  for (let same = 0, attempt = 0; same < 3 && attempt < 60; attempt++) {
    await delay(150);
    const text = await (await app.get(path)).text();
    same = text === last ? same + 1 : 0;
    last = text;
  }
  return last;
}
