import type { SortKey } from './listing-query.js';

/** What a served folder offers beside its files. */
export interface FolderFeatures {
  /** What listings are sorted by unless the URL says otherwise; the name unless given. */
  readonly sort?: SortKey;
  /** `GET /folder/?zip` answers with the folder as one ZIP file. */
  readonly zip?: boolean;
  readonly uploads?: UploadRules;
  readonly live?: LiveOptions;
}

/** Who may write what where. */
export interface UploadRules {
  /** The folder that takes uploads, and every folder below it: canonical, with a slash at both ends. */
  readonly folder: string;
  /** An upload takes the place of a file of its name. */
  readonly overwrite: boolean;
  /** The largest file, and the largest form as a whole. */
  readonly maxBytes: number;
  /** Folders an upload names are made, and MKCOL makes one. */
  readonly makeFolders: boolean;
  /** DELETE removes a file or an empty folder. */
  readonly allowDelete: boolean;
}

/** How pages are kept up to date in the browser. */
export interface LiveOptions {
  /** Ends the event streams, so that the server can stop. */
  readonly signal: AbortSignal;
}

/** Whether a path lies in the folder that takes uploads. */
export function takesUploads(path: string, rules: UploadRules | undefined): rules is UploadRules {
  return rules?.folder !== undefined && path.startsWith(rules.folder);
}
