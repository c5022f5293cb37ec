import { platform } from '../../platform/os.js';
import type { InterfacesBackend } from '../types.js';

/** This system's way to know its interfaces. */
export async function chooseBackend(system: NodeJS.Platform = platform): Promise<InterfacesBackend> {
  switch (system) {
    case 'linux':
    case 'android':
      return (await import('./linux.js')).linuxBackend;
    case 'darwin':
      return (await import('./darwin.js')).darwinBackend;
    case 'win32':
      return (await import('./win32.js')).windowsBackend;
    default:
      return (await import('./base.js')).baseBackend;
  }
}
