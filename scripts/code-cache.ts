import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** What goes into a binary whose program is compiled already. */
export interface CompiledProgram {
  /** The script that starts it. */
  readonly main: string;
  readonly assets: Readonly<Record<string, string>>;
}

const OPTIONS = "filename: 'nettool.cjs', importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER";

/** Starts the program from the binary's assets. A cache that does not fit is not used by V8, which is only slower. */
const MAIN = `
const { getRawAsset } = require('node:sea');
const { Script, constants } = require('node:vm');
// The program's own import() is no experiment of the user's.
const { emitWarning } = process;
process.emitWarning = (warning, ...rest) =>
  String(warning).includes('USE_MAIN_CONTEXT_DEFAULT_LOADER') || emitWarning.call(process, warning, ...rest);
const source = Buffer.from(getRawAsset('program')).latin1Slice();
const cachedData = Buffer.from(getRawAsset(process.argv.includes('serve') ? 'serve-cache' : 'get-cache'));
const script = new Script(source, { cachedData, ${OPTIONS} });
script.runInThisContext()(exports, require, module, __filename, __dirname);
`;

/** Runs the program once for each list of arguments and keeps what V8 has compiled by then. */
const RECORDER = `
const { readFileSync, writeFileSync } = require('node:fs');
const { Script, constants } = require('node:vm');
const [, , program, output, runs] = process.argv;
const script = new Script(readFileSync(program, 'latin1'), { ${OPTIONS} });
process.on('exit', () => writeFileSync(output, script.createCachedData()));
for (const args of JSON.parse(runs)) {
  process.argv.splice(2, Infinity, ...args);
  script.runInThisContext()(exports, require, module, __filename, __dirname);
}
`;

/**
 * The bundle with the code compiled beforehand that a small `get`, or a `serve` up to its first answer, needs. Node's
 * own code cache of a single executable holds only what is compiled at once, which is next to nothing: V8 compiles a
 * function when it is first called.
 */
export async function compileProgram(bundle: string, folder: string): Promise<CompiledProgram> {
  const at = (name: string): string => join(folder, name);
  const source = (await readFile(bundle, 'latin1')).replace(/^#!.*/, '');
  const wrapped = `(function (exports, require, module, __filename, __dirname) {${source}\n})`;
  await writeFile(at('program.js'), wrapped, 'latin1');
  await writeFile(at('recorder.cjs'), RECORDER);
  await writeFile(at('main.cjs'), MAIN);
  const recorder = (output: string, ...runs: string[][]): string[] => [
    at('recorder.cjs'),
    at('program.js'),
    at(output),
    JSON.stringify(runs),
  ];
  const server = createServer((_request, response) => response.end('{"a":1}')).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  await run(
    process.execPath,
    recorder('get-cache.bin', ['get', url], ['get', url, '--url', url, '--parallel', '2', '-q']),
  );
  server.close();
  await recordServe(recorder('serve-cache.bin', ['serve', folder, '0', '--json']));
  return {
    main: at('main.cjs'),
    assets: {
      program: at('program.js'),
      'get-cache': at('get-cache.bin'),
      'serve-cache': at('serve-cache.bin'),
    },
  };
}

/** Lets the recorder's `serve` answer for a file and for a listing, and stops it. */
async function recordServe(args: readonly string[]): Promise<void> {
  const serve = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(serve, 'exit');
  for await (const line of createInterface(serve.stdout)) {
    const { type, url } = JSON.parse(line);
    if (type !== 'listening') continue;
    for (const path of ['main.cjs', '']) await (await fetch(url + path)).text();
    serve.kill('SIGTERM');
  }
  await exited;
}
