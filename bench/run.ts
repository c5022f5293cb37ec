/**
 * `npm run bench -- engine [rounds]`: measures one suite against its peers, on this machine, in this run;
 * `npm run bench -- fronts [rounds] [php|proxy]`: one case of it.
 */
const [suite = '', rounds = '7'] = process.argv.slice(2);
const suites: Readonly<Record<string, () => Promise<{ bench(rounds: number): Promise<void> }>>> = {
  engine: () => import('./engine.js'),
  client: () => import('./client.js'),
  serve: async () => ({ bench: (await import('./serve.js')).run }),
  hosts: async () => {
    const { benchHosts } = await import('./hosts.js');
    return { bench: async () => void (await benchHosts()) };
  },
  sockets: async () => ({ bench: (await import('./sockets.js')).run }),
  fronts: async () => {
    const { benchFronts } = await import('./fronts.js');
    return { bench: (rounds) => benchFronts(rounds, process.argv[4]) };
  },
  js: async () => ({ bench: (await import('./js.js')).run }),
  gateway: async () => {
    const { run } = await import('./gateway.js');
    const { benchFronts } = await import('./fronts.js');
    return {
      async bench(rounds) {
        await benchFronts(rounds);
        await run(rounds);
      },
    };
  },
};
const chosen = suites[suite];
if (chosen === undefined) {
  console.error(`usage: npm run bench -- ${Object.keys(suites).join('|')} [rounds]`);
  process.exitCode = 2;
} else {
  const { bench } = await chosen();
  await bench(Number(rounds));
}
