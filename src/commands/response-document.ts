import type { ClientResponse } from '../core/http/client.js';
import type { Content } from '../core/http/content.js';
import type { Delivery } from './deliver-response.js';
import { JsonText } from './output/json-text.js';
import { compactJson, isJson } from './output/json-tokens.js';
import { createReporter } from './output/reporter.js';
import type { SaveTarget } from './save-response.js';

/** What a `--json` document holds has to fit into memory. */
export const DOCUMENT_LIMIT_BYTES = 128 * 2 ** 20;

/** Prints the one JSON document of an answer; one that is saved is told without its body. */
export async function writeDocument(delivery: Delivery, target: SaveTarget | undefined): Promise<void> {
  const { context, followed, flags, failures, expectations, attempts } = delivery;
  const { response, request, hops } = followed;
  const saved = target === undefined ? undefined : await target.save(delivery.content, delivery.verify);
  const content = target === undefined ? await readContent(delivery.content, response) : undefined;
  if (target === undefined) delivery.verify?.();
  const { toHeaderRecord } = await import('../core/http/headers.js');
  const isGood = expectations.acceptsStatus(response.status);
  const document = {
    type: 'response' as const,
    ok: target?.isComplete === true || (isGood && failures.length === 0),
    status: response.status,
    statusText: response.reason,
    httpVersion: response.httpVersion,
    method: request.method,
    url: request.url.href,
    redirects: hops,
    headers: toHeaderRecord(response.headers),
    rawHeaders: response.headers,
    body: content?.body ?? null,
    bodyBase64: content?.base64,
    bodySizeBytes: saved?.sizeBytes ?? content?.bytes.length ?? 0,
    wireSizeBytes: response.wireSizeBytes,
    remoteAddress: response.remoteAddress,
    remotePort: response.remotePort,
    attempts,
    file: saved === undefined ? undefined : saved.path,
    sha256: flags.checksum?.algorithm === 'sha256' ? delivery.digest() : undefined,
    failed: failures.length > 0 ? failures : undefined,
    timings: roundTimings(response),
  };
  delivery.beforeOutput();
  createReporter<typeof document>(context, () => undefined, 'stdout')(document);
}

interface Read {
  readonly bytes: Buffer;
  readonly body: JsonText | string | null;
  readonly base64?: string;
}

async function readContent(content: Content, { headers }: ClientResponse): Promise<Read> {
  const { collect, decodeText, getCharset, getMediaType, isJsonType } = await import('../core/http/body.js');
  const bytes = await collect(content.stream(), DOCUMENT_LIMIT_BYTES);
  if (bytes.length === 0) return { bytes, body: null };
  const text = decodeText(bytes, getCharset(headers));
  if (text === undefined) return { bytes, body: null, base64: bytes.toString('base64') };
  const type = getMediaType(headers);
  const bare = text.startsWith('\ufeff') ? text.slice(1) : text;
  const json = (type === '' || isJsonType(type)) && isJson(bare);
  return { bytes, body: json ? new JsonText(compactJson(bare)) : text };
}

/** To the microsecond; what lies below is noise. */
function roundTimings({ timings }: ClientResponse): Record<string, number | null> {
  return Object.fromEntries(
    Object.entries(timings).map(([step, ms]) => [step, ms === null ? null : Math.round(ms * 1000) / 1000]),
  );
}
