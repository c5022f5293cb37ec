/** `npm run fuzz [count] [seed]`: the engine's parser beside node's own, on inputs that are nearly right. */
import { fuzz } from './differential.js';
import { createRandom, makeInput } from './grammar.js';

const [count = '1000000', seed = String(Date.now() % 1_000_000)] = process.argv.slice(2);
const random = createRandom(Number(seed));
console.log(`${count} inputs from seed ${seed}`);
let findings = 0;

function* inputs(): Generator<string> {
  for (let made = 0; made < Number(count); made += 1) {
    if (made > 0 && made % 100_000 === 0) console.log(`${made} …`);
    yield makeInput(random);
  }
}

const before = performance.now();
await fuzz(inputs(), (input, problem, engine, node) => {
  findings += 1;
  if (findings <= 20) console.log(problem, JSON.stringify({ input, engine, node }, null, 1));
});
const seconds = (performance.now() - before) / 1000;
console.log(`${findings} findings in ${count} inputs, ${seconds.toFixed(0)} s`);
process.exitCode = findings === 0 ? 0 : 1;
