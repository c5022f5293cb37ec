import type { ClientResponse, SendOptions } from '../core/http/client.js';
import type { CookieStore } from '../core/http/cookies.js';
import type { HeaderList, OutgoingRequest } from '../core/http/messages.js';
import type { FollowedResponse } from '../core/http/redirects.js';
import type { RequestHead } from '../core/http/request-head.js';
import { looksSecret } from '../core/secrets.js';
import type { AllFlags } from './all-flags.js';
import { CapturedBody } from './captured-body.js';
import type { Context } from './context.js';
import { toSendOptions } from './network-options.js';
import type { AddressedPlan } from './request-plan.js';
import { viewRedirect, viewRequestHead, viewResponseHead } from './views/request.js';

/** One request that was sent, and the answer to it. */
export interface ExchangeRecord {
  readonly startedAt: Date;
  readonly url: URL;
  readonly head: RequestHead;
  readonly request: OutgoingRequest;
  /** Absent when none came. */
  readonly response?: ClientResponse | undefined;
  readonly failedAfterMs?: number | undefined;
  /** The body of the answer, decoded, as far as it has been read; for `--har` only. */
  readonly body?: CapturedBody | undefined;
}

/** Sends the requests of one run: its connections, cookies and records. */
export interface Transport {
  /** Sends a plan's request and follows its redirects. */
  exchange(plan: AddressedPlan, options: ExchangeOptions): Promise<FollowedResponse>;
  /** Everything that was sent so far. */
  readonly records: readonly ExchangeRecord[];
  close(): void;
}

/** What is different from one exchange to the next. */
export interface ExchangeOptions {
  readonly signal: AbortSignal;
  /** Fields that replace or join those of the plan. */
  readonly headers?: HeaderList;
  readonly onUpload?: (bytes: number) => void;
}

/** What the run has beside its flags. */
export interface TransportSetup {
  readonly cookies: CookieStore | undefined;
  readonly beforeTalk: () => void;
  /** Connections are kept for more requests. */
  readonly keepsConnections: boolean;
}

/** The {@link Transport} of a run. */
export async function createTransport(
  context: Context,
  flags: AllFlags,
  setup: TransportSetup,
): Promise<Transport> {
  const base = await toSendOptions(context, flags);
  const { send } = await import('../core/http/client.js');
  const { followRedirects } = await import('../core/http/redirects.js');
  const { withHeader, withoutHeader } = await import('../core/http/headers.js');
  const pool = setup.keepsConnections
    ? new (await import('../core/http/connection-pool.js')).ConnectionPool()
    : undefined;
  const records: ExchangeRecord[] = [];
  const trustedHosts = new Set((flags.redirectTrust ?? []).map((host) => host.toLowerCase()));
  let cookies = setup.cookies;
  const talk = (text: string | undefined): void => {
    if (text === undefined || context.quiet) return;
    setup.beforeTalk();
    context.io.stderr.write(`${context.redact(text)}\n`);
  };

  return {
    records,
    close: () => pool?.close(),
    async exchange(plan, options) {
      const isSecret = (name: string): boolean =>
        flags.showSecrets !== true && (looksSecret(name) || plan.secretHeaders.has(name.toLowerCase()));
      const sendOnce = async (request: OutgoingRequest): Promise<ClientResponse> => {
        const sent = { startedAt: new Date(), url: request.url, head: undefined as RequestHead | undefined };
        const sendOptions: SendOptions = {
          ...base,
          pool,
          onUpload: options.onUpload,
          onSend: (head) => {
            sent.head = head;
            if (context.verbose > 0) talk(`${viewRequestHead(head, context.style.stderr, isSecret)}\n`);
          },
        };
        const startedAt = performance.now();
        try {
          const response = await send(request, sendOptions);
          const body = flags.har === undefined ? undefined : new CapturedBody();
          records.push({ ...sent, head: sent.head as RequestHead, request, response, body });
          if (context.verbose > 0) talk(`${viewResponseHead(response, context.style.stderr)}\n`);
          return response;
        } catch (error) {
          const failedAfterMs = performance.now() - startedAt;
          if (sent.head !== undefined) records.push({ ...sent, head: sent.head, request, failedAfterMs });
          throw error;
        }
      };
      const sendWithCookies = async (request: OutgoingRequest): Promise<ClientResponse> => {
        const headers = (await cookies?.addTo(request.headers, request.url)) ?? request.headers;
        const response = await sendOnce({ ...request, headers });
        if (response.headers.some(([name]) => name.toLowerCase() === 'set-cookie')) {
          // The rules of cookies are a large table: loaded when there is one that may be sent back.
          if (cookies === undefined && isMoreToCome(response, flags)) {
            cookies = (await import('../core/http/cookies.js')).createCookieStore();
          }
          await cookies?.take(response.headers, request.url);
        }
        return response;
      };
      let sendSigned = sendWithCookies;
      if (plan.digest !== undefined) {
        const { withDigest } = await import('../core/http/digest-auth.js');
        sendSigned = withDigest(sendWithCookies, { ...plan.digest, origin: plan.url.origin });
      }
      let headers: HeaderList = plan.headers;
      for (const [name, value] of options.headers ?? []) {
        headers = value === '' ? withoutHeader(headers, name) : withHeader(headers, name, value);
      }
      const { method, url, body } = plan;
      return followRedirects(
        { method, url, headers, signal: options.signal, ...(body === undefined ? {} : { body }) },
        {
          send: sendSigned,
          follow: flags.follow,
          maxRedirects: flags.maxRedirects,
          allowDowngrade: flags.allowDowngrade === true,
          secretHeaders: plan.secretHeaders,
          trustedHosts,
          onRedirect: (event) => talk(viewRedirect(event)),
        },
      );
    },
  };
}

/** Whether another request of this run may follow this answer. */
function isMoreToCome({ status }: ClientResponse, flags: AllFlags): boolean {
  const again = flags.retry !== undefined || flags.wait !== undefined || flags.url !== undefined;
  return again || status === 401 || (status >= 300 && status < 400);
}
