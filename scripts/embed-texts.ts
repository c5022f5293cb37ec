import { type Plugin, transform } from 'esbuild';
import { HOST_FILES } from '../src/core/handlers/python/host-files.js';
import { BCRYPT_SOURCE } from '../src/core/http/passwords/bcrypt-source.js';

/** Carries inside the bundle, as text, what other programs and threads run: there it has no files. */
export const embedTexts: Plugin = {
  name: 'embed-texts',
  setup(build) {
    build.onLoad({ filter: /[\\/]handlers[\\/]python[\\/]host-files\.ts$/ }, () => ({
      contents: `export const HOST_FILES = ${JSON.stringify(HOST_FILES)};`,
      loader: 'js',
    }));
    build.onLoad({ filter: /[\\/]http[\\/]passwords[\\/]bcrypt-source\.ts$/ }, async () => {
      const { code } = await transform(BCRYPT_SOURCE, { minify: true, legalComments: 'none' });
      return { contents: `export const BCRYPT_SOURCE = ${JSON.stringify(code)};`, loader: 'js' };
    });
  },
};
