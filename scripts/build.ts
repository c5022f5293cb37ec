/**
 * `npm run build`: dist/nettool for this machine. `npm run build:all`: the five targets, each from the Node that npm
 * carries for it. One CommonJS file made by esbuild goes into a copy of Node as a single executable application.
 */
import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import pkgSea from '@yao-pkg/pkg/lib-es5/sea.js';
import { build, type Plugin } from 'esbuild';
import { inject } from 'postject';
import { compileProgram } from './code-cache.js';
import { embedTexts } from './embed-texts.js';
import { findHostTarget, TARGETS, type Target } from './targets.js';

const run = promisify(execFile);
const root = resolve(import.meta.dirname, '..');
const cache = join(root, '.cache');
const dist = join(root, 'dist');
const bundle = join(cache, 'nettool.cjs');

/** Node looks for this in its own binary to see whether an application was put in (Node's documentation of SEA). */
const SEA_FUSE = 'NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2';

/**
 * NODE_OPTIONS is for the user's own Node programs, not for a tool that happens to be made with Node; and SIGUSR1
 * asks it for new log files, not for Node's debugger.
 */
const SEA_CONFIG = {
  disableExperimentalSEAWarning: true,
  useSnapshot: false,
  execArgvExtension: 'none',
  // The rest spares the start-up two collections of garbage.
  execArgv: ['--disable-sigusr1', '--min-semi-space-size=4'],
};

/** Parts of Node that most runs need nothing of: loaded when something of theirs is first used. */
const LAZY_BUILTINS = [
  'child_process',
  'crypto',
  'fs/promises',
  'os',
  'timers/promises',
  'tls',
  'v8',
  'vm',
  'zlib',
];

const lazyBuiltins: Plugin = {
  name: 'lazy-builtins',
  setup(bundler) {
    bundler.onResolve({ filter: new RegExp(`^node:(${LAZY_BUILTINS.join('|')})$`) }, ({ path }) => ({
      path,
      namespace: 'lazy',
    }));
    bundler.onLoad({ filter: /.*/, namespace: 'lazy' }, async ({ path }) => {
      const names = Object.keys(await import(path)).filter((name) => name !== 'default');
      const getters = names.map((name) => `get ${name}() { return load().${name} }`);
      return {
        contents: `let loaded; const load = () => (loaded ??= process.getBuiltinModule('${path}'));\nmodule.exports = { ${getters} };`,
      };
    });
  },
};

await mkdir(cache, { recursive: true });
await mkdir(dist, { recursive: true });
await bundleSources();
const host = findHostTarget();
if (process.argv[2] === 'all') {
  for (const target of TARGETS) await buildTarget(target);
} else {
  await buildHost(join(dist, process.platform === 'win32' ? 'nettool.exe' : 'nettool'));
}

async function bundleSources(): Promise<void> {
  await build({
    entryPoints: [join(root, 'bin/nettool.ts')],
    outfile: bundle,
    bundle: true,
    platform: 'node',
    target: 'node26',
    format: 'cjs',
    minify: true,
    keepNames: false,
    legalComments: 'none',
    logLevel: 'warning',
    plugins: [embedTexts, lazyBuiltins],
  });
}

/** The binary for this machine, with V8's code cache, which only the same Node on the same machine type can make. */
async function buildHost(output: string): Promise<void> {
  if (host === undefined) throw new Error(`no binary is made for ${process.platform} ${process.arch}`);
  const fresh = `${output}.new`;
  const { platform, arch } = host;
  const { main, assets } = await compileProgram(bundle, cache);
  await pkgSea.default(main, {
    nodePath: process.execPath,
    targets: [{ platform, arch, nodeRange: 'node26', output: fresh }],
    seaConfig: { ...SEA_CONFIG, useCodeCache: true, assets },
    signature: true,
  });
  // A rename, so that a binary that is running is replaced, not written into.
  await rename(fresh, output);
  await report(output);
}

/** A binary for any target: pkg's call needs a Node it can run, so foreign ones are put together here. */
async function buildTarget(target: Target): Promise<void> {
  const output = join(dist, target.output);
  if (target === host) return buildHost(output);
  const base = await fetchBase(target);
  if (base === undefined) return;
  const blob = join(cache, 'foreign.blob');
  const config = join(cache, 'foreign.json');
  await writeFile(config, JSON.stringify({ ...SEA_CONFIG, main: bundle, output: blob }));
  await run(process.execPath, ['--experimental-sea-config', config]);
  await copyFile(base, output);
  const machoSegmentName = target.platform === 'macos' ? { machoSegmentName: 'NODE_SEA' } : {};
  await inject(output, 'NODE_SEA_BLOB', await readFile(blob), {
    sentinelFuse: SEA_FUSE,
    overwrite: true,
    ...machoSegmentName,
  });
  await chmod(output, 0o755);
  if (target.platform === 'macos') await sign(output);
  await report(output);
}

/** Node for a target, of exactly the version that makes the blob (its layout differs between patch releases). */
async function fetchBase(target: Target): Promise<string | undefined> {
  const version = process.version.slice(1);
  const folder = join(cache, 'bases', `${target.basePackage}-${version}`);
  const binary = join(folder, 'package/bin', target.platform === 'win' ? 'node.exe' : 'node');
  if (await exists(binary)) return binary;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  try {
    const { stdout } = await run('npm', ['pack', `${target.basePackage}@${version}`, '--silent'], {
      cwd: folder,
    });
    await run('tar', ['xzf', stdout.trim().split('\n').at(-1) as string], { cwd: folder });
    return binary;
  } catch (error) {
    console.error(`skipped ${target.output}: ${target.basePackage}@${version} cannot be had (${error})`);
    return undefined;
  }
}

/** macOS ends unsigned programs at once; an ad-hoc signature is enough, where a tool for it is at hand. */
async function sign(output: string): Promise<void> {
  try {
    await run('codesign', ['-f', '--sign', '-', output]);
  } catch {
    try {
      await run('ldid', ['-Cadhoc', '-S', output]);
    } catch {
      console.error(`not signed: on the Mac run  codesign -f --sign - ${output}`);
    }
  }
}

async function report(output: string): Promise<void> {
  const { size } = await stat(output);
  console.log(`${output} (${Math.round(size / 2 ** 20)} MiB)`);
}

function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
