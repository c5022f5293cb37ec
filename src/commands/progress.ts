import type { ClientResponse } from '../core/http/client.js';

/** How far a transfer has come. */
export interface TransferProgress {
  readonly response: ClientResponse | undefined;
  readonly uploadedBytes: number;
  readonly uploadSizeBytes: number | undefined;
  readonly startedAt: number;
  onUpload(bytes: number): void;
  onResponse(response: ClientResponse): void;
  /** Another attempt begins. */
  restart(): void;
}

/** The progress of one transfer. */
export function createProgress(uploadSizeBytes: number | undefined): TransferProgress {
  const progress = {
    response: undefined as ClientResponse | undefined,
    uploadedBytes: 0,
    uploadSizeBytes,
    startedAt: performance.now(),
    onUpload(bytes: number) {
      progress.uploadedBytes += bytes;
    },
    onResponse(response: ClientResponse) {
      progress.response = response;
      progress.startedAt = performance.now();
    },
    restart() {
      progress.response = undefined;
      progress.uploadedBytes = 0;
      progress.startedAt = performance.now();
    },
  };
  return progress;
}
