export function openWindowsBackend(..._: unknown[]): never {
  throw new Error('x');
}
