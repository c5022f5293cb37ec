import { errorResponse } from '../http/error-response.js';
import type { Handler } from '../http/handler.js';
import type { ServedTimes } from '../http/messages.js';
import type { ApplicationFigures } from '../http/site-metrics.js';
import { guard } from '../http/wrappers/wrap.js';
import type { CgiOptions } from './cgi.js';
import type { FastcgiOptions } from './fastcgi/index.js';
import type { JsOptions } from './js/index.js';
import { createMounts } from './mounts.js';
import type { ProxyOptions } from './proxy/index.js';
import type { PythonOptions } from './python/options.js';
import type { StaticTarget } from './static/index.js';
import { underPrefix } from './under-prefix.js';

/** Everything that can be served, and how. */
export type HandlerTarget =
  | StaticTarget
  | { readonly kind: 'python'; readonly options: PythonOptions }
  | { readonly kind: 'js'; readonly options: JsOptions }
  | { readonly kind: 'proxy'; readonly options: ProxyOptions }
  | { readonly kind: 'cgi'; readonly options: CgiOptions }
  | { readonly kind: 'fastcgi'; readonly options: FastcgiOptions; readonly files?: StaticTarget };

/** Nothing. Scripts are not to be had as files either, and no redirect goes round between two folders of them. */
const NOTHING: Handler = { handle: ({ headers }) => errorResponse(404, headers) };

/** A handler that may be able to load its application anew. */
export interface HostedHandler extends Handler {
  /** Rejects with the reason, the old code serving on, when the new one does not start. */
  reload?(reason: string): Promise<void>;
  /** One worker more or fewer, where there are any. */
  resize?(change: 1 | -1, reason: string): Promise<void>;
  /** What waits for workers, where there are any. */
  readonly stats?: Omit<ApplicationFigures, 'prefix'>;
}

/** The handler that answers for a target; one that cannot be served is refused with the reason. */
export async function createHandler(
  target: HandlerTarget,
  elsewhere?: Handler['handle'],
): Promise<HostedHandler> {
  switch (target.kind) {
    case 'static': {
      const { createStaticHandler } = await import('./static/index.js');
      const handler = await createStaticHandler(target);
      if (target.features === undefined) return handler;
      const { addFolderFeatures } = await import('./folder.js');
      return addFolderFeatures(handler, target);
    }
    case 'python': {
      const { createPythonHandler } = await import('./python/index.js');
      return createPythonHandler(target.options);
    }
    case 'js': {
      const { createJsHandler } = await import('./js/index.js');
      return createJsHandler(target.options);
    }
    case 'proxy': {
      const { createProxyHandler } = await import('./proxy/index.js');
      return createProxyHandler(target.options);
    }
    case 'cgi': {
      const { createCgiHandler } = await import('./cgi.js');
      return createCgiHandler({ ...target.options, ...(elsewhere !== undefined && { elsewhere }) });
    }
    case 'fastcgi': {
      const { createFastcgiHandler } = await import('./fastcgi/index.js');
      if (target.files === undefined) return createFastcgiHandler(target.options);
      // The pictures and style sheets beside the scripts.
      const fallback = underPrefix(await createHandler(target.files), target.options.prefix ?? '');
      return createFastcgiHandler({ ...target.options, fallback });
    }
  }
}

/** A target and where it is mounted. */
export interface MountTarget {
  readonly prefix: string;
  readonly target: HandlerTarget;
}

function isApplication({ target: { kind } }: MountTarget): boolean {
  return kind === 'python' || kind === 'js';
}

/** Everything a site is made of, behind one handler. */
export interface MountedSite {
  readonly handler: Handler;
  /** Loads every application anew that can be. */
  reload(reason: string): Promise<void>;
  /** One worker more or fewer for every application that has workers. */
  resize(change: 1 | -1, reason: string): Promise<void>;
  /** What the applications that have workers tell of themselves. */
  figures(): ApplicationFigures[];
}

/** Makes what takes the times of a mount's requests. */
export type MakeTally = (handler: string, prefix: string) => (times: ServedTimes) => void;

/** Makes the handlers of all mounts; when one cannot be made, those that were are closed again. */
export async function createSite(
  mounts: readonly MountTarget[],
  makeTally?: MakeTally,
): Promise<MountedSite> {
  let others: Handler = NOTHING;
  const made: Array<{ prefix: string; handler: HostedHandler; target: HandlerTarget }> = [];
  try {
    // Applications last: nobody should wait for their start to hear that a folder is not there.
    const inOrder = [...mounts].sort((a, b) => Number(isApplication(a)) - Number(isApplication(b)));
    for (const { prefix, target } of inOrder)
      made.push({
        prefix,
        target,
        handler: await createHandler(target, (request) => others.handle(request)),
      });
  } catch (error) {
    await Promise.all(made.map(({ handler }) => handler.close?.()));
    throw error;
  }
  const mounted = made.map(({ prefix, handler, target: { kind } }) => ({
    prefix,
    kind,
    handler: kind === 'static' ? underPrefix(handler, prefix) : tallied(handler, makeTally?.(kind, prefix)),
  }));
  others = createMounts(
    mounted.map((mount) => (mount.kind === 'cgi' ? { ...mount, handler: NOTHING } : mount)),
  );
  return {
    handler: createMounts(mounted),
    async reload(reason) {
      await Promise.all(made.map(({ handler }) => handler.reload?.(reason)));
    },
    async resize(change, reason) {
      await Promise.all(made.map(({ handler }) => handler.resize?.(change, reason)));
    },
    figures: () =>
      made.flatMap(({ prefix, handler: { stats } }) => (stats === undefined ? [] : { prefix, ...stats })),
  };
}

/** Has every request of a handler told how long it took. */
function tallied(handler: Handler, tally: ReturnType<MakeTally> | undefined): Handler {
  if (tally === undefined) return handler;
  const note = { tally };
  return guard((request) => {
    request.note?.(note);
    return undefined;
  })(handler);
}
