import { BlockList, isIPv4 } from 'node:net'
import type { VaultRecord } from '../core/index.ts'

/**
 * The address of every client. Requests come through doors of this machine (or of none, in process), so that there is
 * no other one that a rule could mean.
 */
export const CLIENT_ADDRESS = '127.0.0.1'

export type FirewallVerdict = 'open' | 'publicAccessDisabled' | 'addressNotAllowed'

/** Whether the network settings of a vault let a client in. Nobody here is one of Azure's trusted services. */
export function firewallVerdict(
  { publicNetworkAccess, networkAcls }: Pick<VaultRecord, 'publicNetworkAccess' | 'networkAcls'>,
  address = CLIENT_ADDRESS,
): FirewallVerdict {
  if (publicNetworkAccess === 'Disabled') return 'publicAccessDisabled'
  if (networkAcls === undefined || networkAcls.defaultAction === 'Allow') return 'open'
  return networkAcls.ipRules.some(({ value }) => covers(value, address)) ? 'open' : 'addressNotAllowed'
}

/** Whether a text is an IPv4 address or a range in CIDR notation. */
export function isAddressRange(text: string): boolean {
  const [address = '', bits, ...rest] = text.split('/')
  return isIPv4(address) && rest.length === 0 && (bits === undefined || (/^\d{1,2}$/.test(bits) && Number(bits) <= 32))
}

function covers(range: string, address: string): boolean {
  if (!isAddressRange(range)) return false
  const [net = '', bits = '32'] = range.split('/')
  const list = new BlockList()
  list.addSubnet(net, Number(bits), 'ipv4')
  return list.check(address)
}
