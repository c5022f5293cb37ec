import { NettoolError } from '../core/errors.js';
import type { HeaderList } from '../core/http/messages.js';
import type { FollowedResponse } from '../core/http/redirects.js';
import type { Verifier } from './checksum.js';
import type { OutputFile } from './output/file.js';
import type { PartNote } from './output/part-note.js';
import {
  judgeResume,
  prepareDestination,
  type ResumeOutcome,
  type Resumption,
  type Saved,
  type SaveTarget,
  toResumption,
} from './save-response.js';
import type { TransferJob } from './transfer.js';

/** Brings the answers of one URL into its file, over as many attempts as it takes. */
export interface Saver {
  /** The fields that ask for the part that is missing, or for ranges. */
  headers(attempt: number): Promise<HeaderList | undefined>;
  /** The answer does not fit what is there: everything has to be asked for again. */
  needsRestart(followed: FollowedResponse): Promise<boolean>;
  targetFor(followed: FollowedResponse, verifier: Verifier | undefined): Promise<SaveTarget>;
}

/** The {@link Saver} that the flags ask for; `undefined` when nothing is to be saved. */
export async function createSaver(job: TransferJob): Promise<Saver | undefined> {
  const { context, flags, plan } = job;
  const destination = await prepareDestination(context, flags, { url: plan.url, names: job.names });
  if (destination === undefined) return undefined;
  let known: { file: OutputFile; name: string } | undefined;
  let resumption: Resumption | undefined;
  let outcome: ResumeOutcome = 'whole';
  const splits = (flags.parallel ?? 1) > 1 && flags.url === undefined && plan.method === 'GET';

  const findRest = async (attempt: number): Promise<Resumption | undefined> => {
    const file = known?.file ?? destination.file;
    const isAllowed = plan.method === 'GET' && file?.isRegular === true;
    if (!isAllowed || (attempt === 1 && flags.continue !== true)) return undefined;
    const partial = await file.findPartial();
    // Without -c only what this run has left is gone on with.
    if (flags.continue !== true && partial?.path === file.path) return undefined;
    return toResumption(partial);
  };

  return {
    async headers(attempt) {
      resumption = await findRest(attempt);
      outcome = 'whole';
      if (resumption === undefined && splits) return [['Range', 'bytes=0-']];
      return resumption?.headers;
    },
    async needsRestart(followed) {
      // Nothing of an empty file can be given.
      if (resumption === undefined) return splits && followed.response.status === 416;
      outcome = await judgeResume(followed, resumption);
      if (outcome === 'rest') checkSameSize(followed, resumption);
      if (outcome !== 'restart') return false;
      resumption = undefined;
      outcome = 'whole';
      return true;
    },
    async targetFor(followed, verifier) {
      known ??= await destination.nameFor(followed, plan.url);
      const { file, name } = known;
      const resumed = outcome === 'rest' || outcome === 'complete' ? resumption : undefined;
      return createTarget(job, {
        file,
        name,
        followed,
        verifier,
        resumed,
        isComplete: outcome === 'complete',
        replaces: destination.replaces,
        splits,
      });
    },
  };
}

/** A length that does not fit what is there is no rest of it. */
function checkSameSize({ response }: FollowedResponse, { partial }: Resumption): void {
  const length = response.headers.find(([name]) => name.toLowerCase() === 'content-encoding')?.[1];
  if (length === undefined) return;
  throw new NettoolError(
    'BAD_ENCODING',
    `the rest behind ${partial.sizeBytes} bytes came in another coding (${length})`,
  );
}

interface TargetSetup {
  readonly file: OutputFile;
  readonly name: string;
  readonly followed: FollowedResponse;
  readonly verifier: Verifier | undefined;
  readonly resumed: Resumption | undefined;
  readonly isComplete: boolean;
  readonly replaces: boolean;
  readonly splits: boolean;
}

function createTarget(job: TransferJob, setup: TargetSetup): SaveTarget {
  const { file, name, followed, verifier, resumed, isComplete, replaces } = setup;
  return {
    isComplete,
    async save(content, verify): Promise<Saved> {
      const { readState, readValidator } = await import('../core/http/content-range.js');
      const { hasHeader } = await import('../core/http/headers.js');
      const { response } = followed;
      const { etag, lastModified } = readState(response.headers);
      const before = resumed?.partial.note;
      const note: PartNote = {
        // An answer with the rest may leave out what the first one said.
        validator: readValidator(response.headers) ?? before?.validator,
        etag: etag ?? before?.etag,
        lastModified: lastModified ?? before?.lastModified,
        isDecoded: hasHeader(response.headers, 'content-encoding'),
      };
      let path = file.path;
      const onName = (taken: string): void => {
        path = taken;
      };
      const told = (): string => (path === file.path ? name : path);
      const offset = resumed?.partial.sizeBytes ?? 0;
      if (resumed !== undefined) {
        const { partial } = resumed;
        await verifier?.observeFile(partial.path, partial.sizeBytes);
        if (isComplete) {
          response.body.destroy();
          verify?.();
          if (partial.path !== file.path) path = await file.finish(replaces);
          return { path: told(), sizeBytes: offset, receivedBytes: 0 };
        }
        // A shorter file grows under its temporary name, like any other.
        if (partial.path === file.path) {
          const { rename } = await import('node:fs/promises');
          await rename(file.path, `${file.path}.part`);
        }
      }
      if (setup.splits && resumed === undefined && file.isRegular) {
        const { downloadRanges } = await import('./download-ranges.js');
        const size = await downloadRanges(job, { file, followed, note, verifier });
        if (size !== undefined) {
          onName(await file.finish(replaces));
          return { path: told(), sizeBytes: size, receivedBytes: size };
        }
      }
      const sizeBytes = await file.write(content, {
        offset,
        note,
        replace: replaces,
        onName,
        ...(verify === undefined ? {} : { verify }),
      });
      return { path: told(), sizeBytes, receivedBytes: sizeBytes - offset };
    },
  };
}
