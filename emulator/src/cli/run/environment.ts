import type { InstanceInfo } from '../../control/instance.ts'
import { networkEnvironment, trustEnvironment } from '../../doors/environment.ts'

/** Where services of this machine would be reached that an isolated program has not. */
const SERVICES = new Set(['SSH_AUTH_SOCK', 'DBUS_SESSION_BUS_ADDRESS', 'DOCKER_HOST', 'XDG_RUNTIME_DIR'])

/**
 * What the caller has, without the administrator's credentials: a container signs in with its managed identity. In a
 * network of its own the emulator is where Azure's names lead, and a proxy would be out of reach.
 */
export function programEnvironment(
  info: InstanceInfo,
  { ownNetwork, isolate }: { readonly ownNetwork: boolean; readonly isolate: boolean },
): Record<string, string> {
  const replaced = new Set([...Object.keys(networkEnvironment('', '')), 'ALL_PROXY', 'all_proxy'])
  const { clientId } = info.credentials
  const inherited = Object.entries(process.env).filter(
    ([name, value]) =>
      value !== undefined &&
      !replaced.has(name) &&
      !(isolate && SERVICES.has(name)) &&
      !/^AZURE_CLIENT_SECRET$|^UVM_/.test(name) &&
      // Read as the identity to ask for, it would be one that no container has.
      !(name === 'AZURE_CLIENT_ID' && value === clientId),
  ) as [string, string][]
  const ours = ownNetwork ? trustEnvironment(info.ca) : networkEnvironment(info.proxy, info.ca)
  return { ...Object.fromEntries(inherited), ...ours }
}
