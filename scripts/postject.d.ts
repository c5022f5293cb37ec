declare module 'postject' {
  /** Writes a resource into an executable file (ELF note, Mach-O section or PE resource). */
  export function inject(
    filename: string,
    resourceName: string,
    resource: Buffer,
    options: { sentinelFuse: string; overwrite: boolean; machoSegmentName?: string },
  ): Promise<void>;
}
