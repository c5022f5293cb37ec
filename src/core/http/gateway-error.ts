/** Why a request could not be answered by what stands behind us: the status that says so, and a sentence for the log. */
export class GatewayError extends Error {
  readonly status: number;

  constructor(status: 413 | 500 | 502 | 503 | 504 | 508, reason: string, cause?: unknown) {
    super(reason, cause === undefined ? undefined : { cause });
    this.name = 'GatewayError';
    this.status = status;
  }
}
