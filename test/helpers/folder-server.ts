import type { TestContext } from 'node:test';
import { createHandler } from '../../src/core/handlers/index.js';
import type { FolderFeatures, UploadRules } from '../../src/core/handlers/static/features.js';
import type { StaticTarget } from '../../src/core/handlers/static/index.js';
import { serve, type TestServer } from './servers.js';

/** Uploads everywhere, and nothing else allowed. */
export const UPLOAD_RULES: UploadRules = {
  folder: '/',
  overwrite: false,
  maxBytes: 1024 * 1024,
  makeFolders: false,
  allowDelete: false,
};

/** Serves a folder with features until the test is over. */
export async function serveFolder(
  t: TestContext,
  root: string,
  features: FolderFeatures,
  target: Partial<StaticTarget> = {},
): Promise<TestServer> {
  return serve(t, await createHandler({ kind: 'static', root, features, ...target }));
}
