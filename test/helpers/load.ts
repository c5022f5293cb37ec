import { Agent, get } from 'node:http';

/** Requests that never stop until they are told to. */
export interface Load {
  /** How many were answered. */
  readonly answered: number;
  /** What went wrong, in words. */
  readonly failures: readonly string[];
  stop(): Promise<void>;
}

/** Asks for a URL again and again on so many loops, each request on a fresh connection or on one that is kept. */
export function startLoad(url: string, loops: { fresh: number; kept: number }): Load {
  const failures: string[] = [];
  let answered = 0;
  let isOver = false;
  const agent = new Agent({ keepAlive: true, maxSockets: loops.kept });
  const ask = (isFresh: boolean): Promise<void> =>
    new Promise((resolve) => {
      const request = get(url, { agent: isFresh ? false : agent }, (response) => {
        if (response.statusCode !== 200) failures.push(`status ${response.statusCode}`);
        response.on('error', (error) => failures.push(`answer: ${error.message}`));
        response.on('end', () => {
          answered += 1;
        });
        response.on('close', resolve).resume();
      });
      request.on('error', (error) => {
        failures.push(`${isFresh ? 'fresh' : 'kept'}: ${error.message}`);
        resolve();
      });
    });
  const loop = async (isFresh: boolean): Promise<void> => {
    while (!isOver) await ask(isFresh);
  };
  const running = [
    ...Array.from({ length: loops.fresh }, () => loop(true)),
    ...Array.from({ length: loops.kept }, () => loop(false)),
  ];
  return {
    get answered() {
      return answered;
    },
    failures,
    async stop() {
      isOver = true;
      await Promise.all(running);
      agent.destroy();
    },
  };
}
