import { closeSync, ftruncateSync } from 'node:fs';
import { NettoolError, toNettoolError } from '../core/errors.js';
import type { ClientResponse } from '../core/http/client.js';
import type { FollowedResponse } from '../core/http/redirects.js';
import type { Verifier } from './checksum.js';
import { type OutputFile, writeAll } from './output/file.js';
import type { PartNote } from './output/part-note.js';
import type { TransferJob } from './transfer.js';

/** A file to be fetched in ranges, and the answer to the request for its first. */
export interface RangedDownload {
  readonly file: OutputFile;
  readonly followed: FollowedResponse;
  readonly note: PartNote;
  readonly verifier: Verifier | undefined;
}

/** Ranges smaller than this are not worth a request. */
const SMALLEST_RANGE_BYTES = 256 * 1024;

/** A part of the file, both ends included, and where it has come to. */
interface Range {
  at: number;
  readonly end: number;
}

/**
 * Fetches one file in `--parallel` ranges at once, into `NAME.part`, and resolves to its size; `undefined` when the
 * server or the file does not suit that, and the answer at hand is the whole file.
 */
export async function downloadRanges(
  job: TransferJob,
  download: RangedDownload,
): Promise<number | undefined> {
  const { followed, file, note, verifier } = download;
  const { parseContentRange } = await import('../core/http/content-range.js');
  const { response } = followed;
  const whole = parseContentRange(response.headers);
  const size = whole?.sizeBytes;
  if (response.status !== 206 || whole?.start !== 0 || size === undefined || note.isDecoded) return undefined;
  const count = Math.min(job.flags.parallel ?? 1, Math.floor(size / SMALLEST_RANGE_BYTES));
  // Without a validator two ranges may be of two different files.
  if (count < 2 || note.validator === undefined) return undefined;
  const ranges = cut(size, count);
  const stop = new AbortController();
  const signal = AbortSignal.any([job.signal, stop.signal]);
  const fd = file.openGaps(note);
  try {
    const [first, ...rest] = ranges as [Range, ...Range[]];
    const running = [
      fetchFirst(response, first, fd),
      ...rest.map((range) => fetchRange(job, { range, fd, note, signal })),
    ];
    await Promise.all(running).catch(async (error) => {
      stop.abort(error);
      response.body.destroy();
      await Promise.allSettled(running);
      throw error;
    });
    closeSync(fd);
    await verifier?.observeFile(`${file.path}.part`);
    verifier?.verify();
    return size;
  } catch (error) {
    const kept = contiguous(ranges);
    const failure = toNettoolError(error);
    if (failure.code !== 'CHECKSUM') {
      ftruncateSync(fd, kept);
      closeSync(fd);
    }
    throw await file.giveUp(failure, kept, note);
  }
}

function cut(size: number, count: number): Range[] {
  const length = Math.ceil(size / count);
  return Array.from({ length: count }, (_, index) => ({
    at: index * length,
    end: Math.min((index + 1) * length, size) - 1,
  })).filter(({ at, end }) => at <= end);
}

/** How much of the beginning is there without a gap. */
function contiguous(ranges: readonly Range[]): number {
  let end = 0;
  for (const range of ranges) {
    end = range.at;
    if (range.at <= range.end) break;
  }
  return end;
}

/** The answer at hand begins with the first range; what follows is fetched by others. */
async function fetchFirst({ body }: ClientResponse, range: Range, fd: number): Promise<void> {
  try {
    await body.drain((bytes) => {
      if (range.at > range.end) return undefined;
      const piece = bytes.subarray(0, range.end - range.at + 1);
      writeAll(fd, piece, range.at);
      range.at += piece.length;
      if (range.at > range.end) body.destroy();
      return undefined;
    });
  } catch (error) {
    if (range.at <= range.end) throw error;
  }
}

interface Fetch {
  readonly range: Range;
  readonly fd: number;
  readonly note: PartNote;
  readonly signal: AbortSignal;
}

/** One range; after a failure that may go away it goes on where it was, as often as `--retry` says. */
async function fetchRange(job: TransferJob, { range, fd, note, signal }: Fetch): Promise<void> {
  const { isRetryCode, pauseMs } = await import('../core/http/retry.js');
  const { parseContentRange } = await import('../core/http/content-range.js');
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { response } = await job.transport.exchange(job.plan, {
        signal,
        headers: [
          ['Range', `bytes=${range.at}-${range.end}`],
          ['If-Range', note.validator ?? ''],
          ['Accept-Encoding', 'identity'],
        ],
      });
      if (response.status !== 206 || parseContentRange(response.headers)?.start !== range.at) {
        response.body.destroy();
        throw new NettoolError('MALFORMED_REPLY', 'the server does not give the range it was asked for', {
          hint: 'the file may have changed meanwhile, or go without --parallel',
        });
      }
      await response.body.drain((bytes) => {
        const piece = bytes.subarray(0, range.end - range.at + 1);
        writeAll(fd, piece, range.at);
        range.at += piece.length;
        return undefined;
      });
      if (range.at <= range.end) throw new NettoolError('TRUNCATED', 'a range was cut short');
      return;
    } catch (error) {
      const isHopeless = signal.aborted || !isRetryCode(toNettoolError(error).code);
      if (isHopeless || attempt > (job.flags.retry ?? 0)) throw error;
      await new Promise((resolve) => setTimeout(resolve, pauseMs(attempt, job.flags.retryDelay)));
    }
  }
}
