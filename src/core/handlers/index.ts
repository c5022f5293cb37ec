import type { Handler } from '../http/handler.js';
import type { CgiOptions } from './cgi.js';
import type { FastcgiOptions } from './fastcgi/index.js';
import type { JsOptions } from './js/index.js';
import type { ProxyOptions } from './proxy/index.js';
import type { StaticTarget } from './static/index.js';

/** Everything that can be served. */
export type HandlerTarget =
  | StaticTarget
  | ({ readonly kind: 'js' } & JsOptions)
  | ({ readonly kind: 'cgi' } & CgiOptions)
  | ({ readonly kind: 'fastcgi' } & FastcgiOptions)
  | ({ readonly kind: 'proxy' } & ProxyOptions);

/** The handler that answers for a target; one that cannot be served is refused with the reason. */
export async function createHandler(target: HandlerTarget): Promise<Handler> {
  switch (target.kind) {
    case 'static': {
      const { createStaticHandler } = await import('./static/index.js');
      return createStaticHandler(target);
    }
    case 'js': {
      const { createJsHandler } = await import('./js/index.js');
      return createJsHandler(target);
    }
    case 'cgi': {
      const { createCgiHandler } = await import('./cgi.js');
      return createCgiHandler(target);
    }
    case 'fastcgi': {
      const { createFastcgiHandler } = await import('./fastcgi/index.js');
      return createFastcgiHandler(target);
    }
    case 'proxy': {
      const { createProxyHandler } = await import('./proxy/index.js');
      return createProxyHandler(target);
    }
  }
}
