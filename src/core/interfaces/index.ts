import { chooseBackend } from './backends/index.js';
import type { DnsSettings, NetworkInterface, Route } from './types.js';

export type { DnsSettings, InterfaceAddress, NetworkInterface, Route } from './types.js';

/** Every interface of this system (on Linux: of this network namespace), whatever its state, by number. */
export async function listInterfaces(): Promise<NetworkInterface[]> {
  const backend = await chooseBackend();
  return backend.list();
}

/** Where packets to other networks go, and who resolves names. */
export async function listRoutes(): Promise<{ routes: Route[]; dns: DnsSettings }> {
  const backend = await chooseBackend();
  const [routes, dns] = await Promise.all([backend.routes(), backend.dns()]);
  return { routes, dns };
}
