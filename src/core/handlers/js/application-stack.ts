/** Steps within Node, and within nettool as a binary. */
const NOT_THE_APPLICATIONS = /^\s+at .*\b(?:node:[\w/]+|nettool\.cjs):\d/;

/** Where an application failed, without the steps that lead through Node and nettool to it. */
export function applicationStack(error: Error): string {
  const stack = error.stack ?? String(error);
  const lines = stack.split('\n').filter((line) => !NOT_THE_APPLICATIONS.test(line));
  return lines.join('\n');
}
