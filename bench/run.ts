/** `npm run bench -- engine [rounds]`: measures one suite against its peers, on this machine, in this run. */
const [suite = '', rounds = '7'] = process.argv.slice(2);
const suites: Readonly<Record<string, () => Promise<{ bench(rounds: number): Promise<void> }>>> = {
  engine: () => import('./engine.js'),
  client: () => import('./client.js'),
};
const chosen = suites[suite];
if (chosen === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(suites).join('|')} [rounds]`);
  process.exitCode = 2;
} else {
  const { bench } = await chosen();
  await bench(Number(rounds));
}
