import type { Plugin } from 'esbuild';
import { HOST_FILES } from '../src/core/handlers/python/host-files.js';

/** Carries the Python side of application hosting inside the bundle, as text. */
export const embedPython: Plugin = {
  name: 'embed-python',
  setup(build) {
    build.onLoad({ filter: /[\\/]handlers[\\/]python[\\/]host-files\.ts$/ }, () => ({
      contents: `export const HOST_FILES = ${JSON.stringify(HOST_FILES)};`,
      loader: 'js',
    }));
  },
};
