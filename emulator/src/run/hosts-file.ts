import { closeSync, existsSync, ftruncateSync, openSync, readFileSync, realpathSync, writeSync } from 'node:fs'
import { isIP } from 'node:net'
import { hostname } from 'node:os'

export interface HostsFile {
  /** Where the emulator's names lead. */
  readonly emulatorAddress: string
  /** Where this machine's own name leads. */
  readonly ownAddress: string
  readonly names: readonly string[]
}

/** `localhost` stays: servers bind by that name, and there is no DNS to ask. */
export function hostsFile({ emulatorAddress, ownAddress, names }: HostsFile): string {
  const lines = ['127.0.0.1 localhost', '::1 localhost ip6-localhost ip6-loopback']
  if (hostname() !== 'localhost') lines.push(`${ownAddress} ${hostname()}`)
  for (const name of new Set(names)) {
    if (isIP(name) !== 0) continue
    if (!/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(name)) {
      throw new TypeError(`setHostNames: ${JSON.stringify(name)} is not a host name`)
    }
    lines.push(`${emulatorAddress} ${name.toLowerCase()}`)
  }
  return `${lines.join('\n')}\n`
}

/** Replaces the content of a file that is bind-mounted elsewhere: same inode, and at no moment empty. */
export function rewriteInPlace(path: string, content: string): void {
  const file = openSync(path, 'r+')
  try {
    const bytes = Buffer.from(content)
    writeSync(file, bytes, 0, bytes.length, 0)
    ftruncateSync(file, bytes.length)
  } finally {
    closeSync(file)
  }
}

/** For the resolver of a C library, and for those who ask a name server without one. */
export function resolverFile(nameServer: string): string {
  return `nameserver ${nameServer}\n`
}

/**
 * Where a file of this machine really lies: systemd-resolved has /etc/resolv.conf lead into /run, which may be covered for
 * a program. Undefined where there is none.
 */
export function placeOf(path: string): string | undefined {
  try {
    return realpathSync(path)
  } catch {
    return undefined
  }
}

const NSSWITCH = '/etc/nsswitch.conf'

/**
 * The machine's nsswitch.conf with host names looked up in files first: services such as systemd-resolved read their
 * own namespace's hosts file, not the program's. Undefined where the machine has none.
 */
export function nsswitchFile(path = NSSWITCH): string | undefined {
  if (!existsSync(path)) return undefined
  const lines = readFileSync(path, 'utf8').split('\n')
  return [...lines.filter((line) => !/^\s*hosts\s*:/.test(line)), 'hosts: files dns', ''].join('\n')
}
