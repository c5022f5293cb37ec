import type { IsTrusted } from '../../http/forwarded.js';
import type { HeaderList, IncomingRequest } from '../../http/messages.js';
import { clientVariables, placeVariables, requestVariables, type ScriptPlace } from '../cgi-env.js';
import { encodePairs, encodeRequest } from './records.js';

/** What the variables of a request are made of beside the request. */
export interface ParamsOptions {
  /** Variables beside those of the request, and instead of them. */
  readonly env: Readonly<Record<string, string>>;
  readonly isTrusted: IsTrusted;
}

/** Everything of a request but its body, as records. `bodyBytes` is undefined when there is none. */
export type EncodeHead = (
  request: IncomingRequest,
  place: ScriptPlace,
  bodyBytes: number | undefined,
) => string;

/** What the requests of a connection have in common, and by what it is known to be the same connection. */
interface KeptClient {
  readonly pairs: string;
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly httpVersion: string;
}

/** Makes the {@link EncodeHead} of an application. What comes again is encoded once: script, connection, header fields. */
export function createHeadEncoder({ env, isTrusted }: ParamsOptions): EncodeHead {
  const given = encodePairs(env);
  const places = new WeakMap<ScriptPlace, string>();
  const clients = new WeakMap<HeaderList, KeptClient>();

  function placePairs(place: ScriptPlace): string {
    let pairs = places.get(place);
    if (pairs === undefined) {
      const { scriptName, pathInfo } = place;
      // As nginx's fastcgi_params has it, for older applications.
      pairs = encodePairs({ ...placeVariables(place), DOCUMENT_URI: scriptName + pathInfo }, env);
      if (Object.isFrozen(place)) places.set(place, pairs);
    }
    return pairs;
  }

  function clientPairs(request: IncomingRequest): string {
    const { headers, remoteAddress, remotePort, httpVersion } = request;
    const known = clients.get(headers);
    if (
      known !== undefined &&
      known.remotePort === remotePort &&
      known.remoteAddress === remoteAddress &&
      known.httpVersion === httpVersion
    ) {
      return known.pairs;
    }
    const keepForwarded = isTrusted(request.peerAddress);
    const variables = clientVariables(request, { passAuthorization: true, keepForwarded });
    variables.CONTENT_TYPE ??= '';
    const pairs = encodePairs(variables, env) + given;
    if (Object.isFrozen(headers)) clients.set(headers, { pairs, remoteAddress, remotePort, httpVersion });
    return pairs;
  }

  return (request, place, bodyBytes) => {
    const variables = requestVariables(request, { bodyBytes });
    // php-fpm compares it with what comes.
    variables.CONTENT_LENGTH ??= '';
    const pairs = clientPairs(request) + placePairs(place) + encodePairs(variables, env);
    return encodeRequest(pairs, bodyBytes !== undefined);
  };
}
