import type { Writable } from 'node:stream';

/**
 * Sends what the application prints, which shares this process, to a stream of its own: stdout is for data of ours.
 * Returns what ends that. Whoever wrote to the real stdout before has to hold on to it.
 */
export function divertOutput(output: Writable): () => void {
  const original = Object.getOwnPropertyDescriptor(process, 'stdout');
  if (original === undefined) return () => {};
  // `console.log` asks for the stream when it is first used.
  Object.defineProperty(process, 'stdout', { configurable: true, enumerable: true, get: () => output });
  return () => {
    Object.defineProperty(process, 'stdout', original);
  };
}
