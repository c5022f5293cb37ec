import type { Handler } from '../http/handler.js';
import type { StaticTarget } from './static/index.js';

/** Everything that can be served. */
export type HandlerTarget = StaticTarget;

/** The handler that answers for a target; one that cannot be served is refused with the reason. */
export async function createHandler(target: HandlerTarget): Promise<Handler> {
  switch (target.kind) {
    case 'static': {
      const { createStaticHandler } = await import('./static/index.js');
      return createStaticHandler(target);
    }
  }
}
