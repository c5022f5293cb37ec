/** The operating system this process runs on; the only reader of `process.platform`. */
export const platform: NodeJS.Platform = process.platform;

/** Whether paths and names follow Windows' rules. */
export const isWindows: boolean = platform === 'win32';

/** Platform and architecture as Node names them, such as `linux x64`. */
export function describePlatform(): string {
  return `${platform} ${process.arch}`;
}

/** Whether this process is root; on Windows there is no such thing. */
export function isRoot(): boolean {
  return process.geteuid?.() === 0;
}
