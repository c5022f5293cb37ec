import { NettoolError } from '../../errors.js';
import { CLIENT_LEFT, onClientGone } from '../../http/client-gone.js';
import { errorResponse } from '../../http/error-response.js';
import { type IsTrusted, trustNobody } from '../../http/forwarded.js';
import { GatewayError } from '../../http/gateway-error.js';
import type { Handler } from '../../http/handler.js';
import type { HttpResponse, IncomingRequest } from '../../http/messages.js';
import { mayHaveBody } from '../../http/request-copy.js';
import { type SpooledBody, spoolBody } from '../../http/spool.js';
import { parseStreamAddress } from '../../net/stream-dial.js';
import type { ScriptPlace } from '../cgi-env.js';
import type { OnHandlerEvent } from '../handler-events.js';
import { normalizePrefix } from '../mounts.js';
import { createRealFolder } from '../real-folder.js';
import { redirectTo } from '../static/redirect.js';
import { Call, refuse } from './call.js';
import { createFastcgiClient } from './client.js';
import { createHeadEncoder } from './params.js';
import { locateApplication, type NoScript, ScriptLocator } from './script.js';

/** How a FastCGI application, php-fpm above all, is put behind a server. */
export interface FastcgiOptions {
  /** `host:port` or `unix:/path`. */
  readonly address: string;
  /** The folder with the scripts; without one the application answers every path below the prefix. */
  readonly root?: string;
  /** The same folder as the application sees it, when that is another one (a container, a chroot). */
  readonly scriptRoot?: string;
  readonly prefix?: string;
  readonly extensions?: readonly string[];
  readonly index?: string;
  /** Scripts that links lead out of the folder to are run, too. */
  readonly followLinks?: boolean;
  /** Variables beside those of the request. */
  readonly env?: Readonly<Record<string, string>>;
  readonly connectTimeoutMs?: number;
  /** How long the application may be silent. */
  readonly timeoutMs?: number;
  readonly maxBodyBytes?: number;
  readonly maxConnections?: number;
  readonly maxWaiting?: number;
  readonly isTrusted?: IsTrusted;
  readonly onEvent?: OnHandlerEvent;
  /** Answers what is no script: the folder's other files. */
  readonly fallback?: Handler;
}

/** Answers with what a FastCGI application says (FastCGI 1.0), php-fpm first of all. */
export function createFastcgiHandler(options: FastcgiOptions): Handler {
  const address = parseStreamAddress(options.address);
  if (address === undefined) {
    throw new NettoolError('USAGE', `'${options.address}' is no FastCGI address`, {
      hint: 'write host:port or unix:/path',
    });
  }
  const { timeoutMs = 60_000, connectTimeoutMs = 3000, maxConnections = 256, maxWaiting = 1024 } = options;
  const { fallback, maxBodyBytes, env = {}, isTrusted = trustNobody, onEvent = () => {} } = options;
  const locate = createLocator(options);
  const encodeHead = createHeadEncoder({ env, isTrusted });
  const client = createFastcgiClient({ address, connectTimeoutMs, timeoutMs, maxConnections, maxWaiting });

  function ask(request: IncomingRequest, place: ScriptPlace, spool?: SpooledBody): Promise<HttpResponse> {
    return new Promise((resolve, reject) => {
      const head = encodeHead(request, place, spool?.sizeBytes);
      const call = new Call(
        { request, place, head, spool, address: options.address, onEvent },
        resolve,
        reject,
      );
      client.ask(call);
      onClientGone(request, () => client.abandon(call, CLIENT_LEFT));
    });
  }

  /** php-fpm gives a child to a request, and reads nothing whose length it does not know: all of it has to be here first. */
  async function askWithBody(request: IncomingRequest, place: ScriptPlace): Promise<HttpResponse> {
    const { signal } = request;
    const limit = maxBodyBytes === undefined ? {} : { maxBytes: maxBodyBytes };
    let spool: SpooledBody;
    try {
      spool = await spoolBody(request.body, { signal, ...limit });
    } catch (error) {
      if (error instanceof GatewayError) return refuse(error, request, onEvent);
      throw error;
    }
    return ask(request, place, spool);
  }

  return {
    handle(request) {
      const place = locate(request);
      if (place === 'missing') return errorResponse(404, request.headers);
      if (place === 'folder') return redirectTo(`${request.path}/`, request);
      if (place === undefined) return fallback?.handle(request) ?? errorResponse(404, request.headers);
      return mayHaveBody(request) ? askWithBody(request, place) : ask(request, place);
    },
    async close() {
      client.close();
      await fallback?.close?.();
    },
  };
}

function createLocator(
  options: FastcgiOptions,
): (request: IncomingRequest) => ScriptPlace | NoScript | undefined {
  const prefix = normalizePrefix(options.prefix ?? '');
  const { root, scriptRoot, extensions = ['.php'], index = 'index.php', followLinks = false } = options;
  if (root === undefined) return (request) => locateApplication(request, prefix);
  const folder = { root: createRealFolder(root), scriptRoot, prefix, extensions, index, followLinks };
  const locator = new ScriptLocator(folder);
  return (request) => locator.locate(request);
}
