import type { Handler } from '../http/handler.js';
import type { StaticTarget } from './static/index.js';

/** A static handler with what its target asks for beside reading: downloads as ZIP, uploads, live reload. */
export async function addFolderFeatures(handler: Handler, target: StaticTarget): Promise<Handler> {
  const { root, showHidden = false, followLinks = false, withheld, features = {} } = target;
  let whole = handler;
  if (features.zip) {
    const { createZipHandler } = await import('./zip/index.js');
    whole = createZipHandler(whole, { root, showHidden, followLinks, withheld });
  }
  if (features.uploads !== undefined) {
    const { createUploadHandler } = await import('./uploads/index.js');
    whole = createUploadHandler(whole, { root, rules: features.uploads, showHidden, withheld });
  }
  if (features.live !== undefined) {
    const { createLiveReload } = await import('./live/index.js');
    whole = createLiveReload(whole, { root, showHidden, ...features.live });
  }
  return whole;
}
