import { type IncomingMessage, Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { NettoolError } from '../../errors.js';
import type { LoadedModule } from './load.js';

/** What a module that can be served comes down to. */
export type JsApplication = FetchApplication | NodeApplication;

/** Takes over the connection of a request that asks for another protocol, as `upgrade` of node:http does. */
export type UpgradeListener = (request: IncomingMessage, socket: Duplex, head: Buffer) => unknown;

interface Common {
  /** Its framework, where it is known by its looks. */
  readonly framework?: string;
  /** What of it is not served. */
  readonly warning?: string;
  readonly upgrade: UpgradeListener | undefined;
}

/** `fetch(request)` of the web standard. */
export interface FetchApplication extends Common {
  readonly kind: 'fetch';
  fetch(request: Request, env: object, context: object): unknown;
}

/** `(req, res)` of node:http. */
export interface NodeApplication extends Common {
  readonly kind: 'node';
  listener(request: IncomingMessage, response: ServerResponse): unknown;
}

/** An application and where in its module it was. */
export interface FoundApplication {
  readonly app: JsApplication;
  readonly reason: string;
  /** It was made by a function of the module. */
  readonly isMade: boolean;
  /** Lets it end what it has begun. */
  close(): Promise<void>;
}

/** The names an application may be exported by, beside `default`. */
const NAMES = ['default', 'app', 'application', 'handler', 'server'] as const;
/** The names of functions that make one. */
const MAKERS = ['createApp', 'makeApp', 'buildApp', 'create_app', 'createServer', 'bootstrap'] as const;
const MAKER = /^(?:create|make|build)(?:[A-Z_]|$)/;

/**
 * What a module has to serve: `export default { fetch }` and its like (Hono, h3), a Node request listener
 * (Express), a Koa or Fastify application, a server of node:http, or with `isFactory` a function that makes one.
 * Undefined when it exports nothing of the kind.
 */
export async function findApplication(
  module: LoadedModule,
  isFactory = false,
): Promise<FoundApplication | undefined> {
  const upgrade = asUpgrade(module.upgrade);
  if (typeof module.fetch === 'function' && !isFactory) {
    const app = fetchApplication(module, upgrade);
    return { app, reason: 'exports fetch', isMade: false, close: () => closeEach(module, module.default) };
  }
  for (const name of [...NAMES, ...MAKERS]) {
    let exported = module[name];
    // What a CommonJS module compiled from an ES module has as its default.
    if (isRecord(exported) && exported.__esModule === true && 'default' in exported)
      exported = exported.default;
    const isMade = typeof exported === 'function' && (isFactory || isMaker(name, exported));
    if (isMade) exported = await make(exported as () => unknown);
    const app = astrosListener(name, module, upgrade) ?? (await toApplication(exported, upgrade));
    const what = name === 'default' ? 'its default export' : `exports ${name}`;
    if (app === undefined) continue;
    const close = (): Promise<void> => closeEach(module, exported);
    return { app, reason: isMade ? `made by ${what}` : what, isMade, close };
  }
  return undefined;
}

/** A listener and a `fetch` take arguments; what makes an application needs none, and says so. */
function isMaker(name: string, { length, name: ownName }: { length: number; name: string }): boolean {
  return length === 0 && ((MAKERS as readonly string[]).includes(name) || MAKER.test(ownName));
}

async function make(factory: () => unknown): Promise<unknown> {
  try {
    return await factory();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new NettoolError('INTERNAL', `the application cannot be made: ${reason}`, { cause });
  }
}

/** Calls `close()` of each that has one; some of what a CommonJS module exports is there twice. */
export async function closeEach(...holders: readonly unknown[]): Promise<void> {
  const called = new Set<unknown>();
  for (const holder of holders) {
    if (!isRecord(holder) || typeof holder.close !== 'function' || called.has(holder.close)) continue;
    called.add(holder.close);
    // A server tells only whom it calls back.
    await (holder instanceof Server ? new Promise((done) => holder.close(done)) : holder.close());
  }
}

/** A server of node:http as an application. */
export function serverApplication(server: Server): NodeApplication {
  return {
    kind: 'node',
    listener: (request, response) => server.emit('request', request, response),
    upgrade: server.listenerCount('upgrade') > 0 ? (...args) => server.emit('upgrade', ...args) : undefined,
  };
}

/** Of Astro's adapter for Node: in its middleware mode it takes `(...args)`, which does not tell that they are Node's. */
function astrosListener(
  name: string,
  { handler, startServer }: LoadedModule,
  upgrade: UpgradeListener | undefined,
): NodeApplication | undefined {
  if (name !== 'handler' || typeof handler !== 'function' || typeof startServer !== 'function')
    return undefined;
  return { kind: 'node', framework: 'Astro', listener: handler as NodeApplication['listener'], upgrade };
}

async function toApplication(
  exported: unknown,
  upgrade: UpgradeListener | undefined,
): Promise<JsApplication | undefined> {
  if (!isRecord(exported)) return undefined;
  if (typeof exported.fetch === 'function') {
    const app = fetchApplication(exported, upgrade ?? asUpgrade(exported.upgrade));
    const framework = FETCH_FRAMEWORKS.find(([, looks]) => looks.every((name) => name in exported))?.[0];
    const isBuns = 'websocket' in exported && app.upgrade === undefined;
    return {
      ...app,
      ...(framework !== undefined && { framework }),
      ...(isBuns && { warning: BUN_WEBSOCKET }),
    };
  }
  if (exported instanceof Server) return serverApplication(exported);
  if (typeof exported.ready === 'function' && typeof exported.routing === 'function') {
    return fastifyApplication(exported, upgrade);
  }
  if (typeof exported.callback === 'function' && typeof exported.use === 'function') {
    const listener = exported.callback() as NodeApplication['listener'];
    return { kind: 'node', framework: 'Koa', listener, upgrade };
  }
  if (typeof exported !== 'function') return undefined;
  // `(request) => new Response()`; an Express application takes three, a Node listener two.
  const listener = exported as unknown as NodeApplication['listener'];
  const isExpress = 'handle' in exported && 'set' in exported;
  if (listener.length < 2 && !('handle' in exported)) return fetchApplication({ fetch: exported }, upgrade);
  return { kind: 'node', listener, upgrade, ...(isExpress && { framework: 'Express' }) };
}

const BUN_WEBSOCKET =
  "`websocket` is Bun's own and not served: export upgrade(req, socket, head), for instance crossws' handleUpgrade";

/** What tells applications of frameworks apart that answer `fetch`. */
const FETCH_FRAMEWORKS: ReadonlyArray<readonly [framework: string, looks: readonly string[]]> = [
  ['Hono', ['basePath', 'route', 'request']],
  ['Elysia', ['derive', 'decorate', 'handle']],
  ['h3', ['handler', 'register', 'config']],
];

function fetchApplication(
  holder: Record<string, unknown>,
  upgrade: UpgradeListener | undefined,
): FetchApplication {
  return {
    kind: 'fetch',
    // Called on its holder: many are methods.
    fetch: (request, env, context) => (holder.fetch as FetchApplication['fetch'])(request, env, context),
    upgrade,
  };
}

/** Fastify loads its plugins first, and may have WebSockets on its own server. */
async function fastifyApplication(
  app: Record<string, unknown>,
  upgrade: UpgradeListener | undefined,
): Promise<NodeApplication> {
  try {
    await (app.ready as () => Promise<unknown>)();
  } catch (error) {
    throw new NettoolError('INTERNAL', `the application does not get ready: ${String(error)}`, {
      cause: error,
    });
  }
  const { server } = app;
  const own = server instanceof Server ? serverApplication(server).upgrade : undefined;
  const routing = app.routing as NodeApplication['listener'];
  return {
    kind: 'node',
    framework: 'Fastify',
    listener: (req, res) => routing(req, res),
    upgrade: upgrade ?? own,
  };
}

function asUpgrade(value: unknown): UpgradeListener | undefined {
  return typeof value === 'function' ? (value as UpgradeListener) : undefined;
}

/** Objects and functions alike: what can have properties. */
function isRecord(value: unknown): value is Record<string, unknown> {
  return (typeof value === 'object' && value !== null) || typeof value === 'function';
}
