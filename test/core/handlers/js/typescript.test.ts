import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { bundleFixture, runPlain } from '../../../helpers/plain-node.js';
import { tempDir } from '../../../helpers/temp-dir.js';

const FILES = {
  'app/words.ts': 'export const word = (n: number): string => String(n satisfies number);\n',
  'app/app.ts': `import { word } from './words.js';
import { where } from 'dep';
import type { IncomingMessage } from 'node:http';
interface Shape { n: number }
console.log('printed');
process.stdout.write('written');
const shape: Shape = await Promise.resolve({ n: 7 });
export default { fetch: (_request: Request): Response => new Response(word(shape.n) + where) };
`,
  'app/plain.cts': `const { where } = require('dep'); module.exports = (req: unknown, res: { end(text: string): void }) => res.end('plain' + where);\n`,
  'app/enum.ts': 'enum Colour { red }\nexport default () => new Response(String(Colour.red));\n',
  'app/missing.ts': `import './not-there.js';\n`,
  'compiled/tsconfig.json': `{ // as TypeScript allows it
    "compilerOptions": { "jsx": "react", "jsxFactory": "h", "paths": { "@/*": ["./lib/*"] }, } }`,
  'compiled/lib/colour.ts': 'export enum Colour { red = 5 }\nexport namespace N { export const x = 6; }\n',
  'compiled/page.tsx': `const h = (...parts: unknown[]) => parts.join();
export const page = <p>{'text'}</p>;\n`,
  'compiled/app.ts': `import { Colour, N } from '@/colour';
import { page } from './page';
function twice(value: (this: App) => number, _context: unknown) { return function (this: App) { return 2 * value.call(this); }; }
class App { constructor(private readonly n: number) {} @twice get() { return this.n; } }
export default () => new Response([Colour.red, N.x, new App(4).get(), page].join());
`,
  'decorated/app.ts':
    'function d(_v: unknown, _c: unknown) {}\n@d class A {}\nexport default () => new Response(String(A));\n',
  'decorated/page.tsx': 'export default () => new Response(String(<p/>));\n',
  'app/node_modules/dep/package.json': '{"name":"dep","type":"module","exports":"./index.js"}',
  'app/node_modules/dep/index.js': `export const where = ' found';\n`,
};

test('TypeScript runs as it is, in one file of CommonJS as the binary is', async (t) => {
  const folder = tempDir(t, FILES);
  const bundle = await bundleFixture('js-host.ts', folder);
  const host = (name: string) => runPlain(t, bundle, [join(folder, 'app', name)]);

  await t.test('imports by their .js names, packages, top-level await', async () => {
    const program = host('app.ts');
    // What it prints does not get in between.
    const origin = await program.nextLine();
    assert.equal(await (await fetch(origin)).text(), '7 found');
    for (let tries = 0; tries < 100 && program.errors() === ''; tries += 1) await delay(20);
    assert.equal(program.errors(), 'printed\nwritten');
  });

  await t.test('CommonJS', async () => {
    const origin = await host('plain.cts').nextLine();
    assert.equal(await (await fetch(origin)).text(), 'plain found');
  });

  await t.test('what would have to be compiled is refused with a hint', async () => {
    const program = host('enum.ts');
    assert.match(await program.nextLine(), /"application-log".*enum\.ts:1/);
    assert.match(await program.nextLine(), /^failed: cannot load enum\.ts: .*enum.*\t.*esbuild/);
  });

  await t.test("an application's own esbuild compiles what has to be, and paths are found", async () => {
    mkdirSync(join(folder, 'compiled/node_modules'));
    symlinkSync(resolve('node_modules/esbuild'), join(folder, 'compiled/node_modules/esbuild'));
    const origin = await host('../compiled/app.ts').nextLine();
    assert.equal(await (await fetch(origin)).text(), '5,6,8,p,,text');
  });

  for (const [name, what] of [
    ['app.ts', 'code with decorators'],
    ['page.tsx', 'JSX'],
  ] as const) {
    await t.test(`${what} without one is refused with a hint`, async () => {
      const program = host(`../decorated/${name}`);
      await program.nextLine();
      assert.match(await program.nextLine(), new RegExp(`^failed: .*\t${what} has to be compiled.*esbuild`));
    });
  }

  await t.test('what is missing is named', async () => {
    const program = host('missing.ts');
    await program.nextLine();
    assert.match(
      await program.nextLine(),
      /^failed: cannot load missing\.ts: Cannot find module .*not-there\.js/,
    );
  });
});
