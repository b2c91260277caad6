import { rmSync, writeFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { join } from 'node:path'
import { RunnerError } from './errors.ts'
import { hostsFile, nsswitchFile, placeOf, resolverFile, rewriteInPlace } from './hosts-file.ts'
import { type LauncherMessage, launch } from './launch.ts'
import type { NativeParts } from './native.ts'
import { serveNames } from './serve-names.ts'
import { makeStateFolder } from './state-folder.ts'
import type { GroupNetwork, NetworkOptions } from './types.ts'

type Built = Extract<LauncherMessage, { kind: 'network' }>

/** What a program needs to join: descriptors of the namespaces, and the files bound over the machine's own. */
export interface NetworkMembership {
  readonly userNamespace: number
  readonly networkNamespace: number
  readonly binds: readonly { readonly source: string; readonly target: string }[]
  /** False without veth: the emulator's listeners then hold ports 443 and 80 of the group's own loopback. */
  readonly ownPorts: boolean
}

const memberships = new WeakMap<GroupNetwork, NetworkMembership>()

/** @throws TypeError for a network that another implementation made, or that was disposed of */
export function membershipOf(network: GroupNetwork): NetworkMembership {
  const membership = memberships.get(network)
  if (membership === undefined) throw new TypeError('network: not a network of this runner, or disposed of')
  return membership
}

/**
 * Builds the namespaces (see emulator/native/launch/network.c) and accepts on the listeners inside them. A listener
 * keeps the namespace that it was made in, so its connections come from there and nowhere else. Names are looked up in a
 * hosts file and by asking the name server: a dot at a name's end, or a program without a resolver, is for the latter.
 */
export async function createGroupNetwork(
  native: NativeParts,
  options: NetworkOptions,
  stateDir?: string,
): Promise<GroupNetwork> {
  const built = await build(native)
  const open = new Set<Socket>()
  const servers = built.descriptors.flatMap(({ name, descriptor }) => {
    if (name !== '443' && name !== '80') return []
    const server = createServer((socket) => {
      open.add(socket)
      socket.on('close', () => open.delete(socket))
      options.onConnection(socket, name === '443' ? 443 : 80)
    })
    return [listening(server, descriptor)]
  })
  const listeners = await Promise.all(servers)

  const folder = makeStateFolder(stateDir)
  const hosts = join(folder, 'hosts')
  const content = (names: readonly string[]) =>
    hostsFile({ emulatorAddress: built.address, ownAddress: built.groupAddress, names })
  const binds: { readonly source: string; readonly target: string }[] = []
  const bind = (name: string, text: string, target = placeOf(`/etc/${name}`)) => {
    writeFileSync(join(folder, name), text, { mode: 0o644 })
    if (target !== undefined) binds.push({ source: join(folder, name), target })
  }
  bind('hosts', content([]), '/etc/hosts')
  bind('resolv.conf', resolverFile(built.address))
  const nsswitch = nsswitchFile()
  if (nsswitch !== undefined) bind('nsswitch.conf', nsswitch)

  let known: ReadonlySet<string> = new Set()
  const setHostNames = (names: readonly string[]) => {
    rewriteInPlace(hosts, content(names))
    known = new Set(names.map((name) => name.toLowerCase()))
  }
  let asking: Promise<void> | undefined
  const ask = async (present: () => Promise<readonly string[]>) => {
    try {
      setHostNames(await present())
    } finally {
      asking = undefined
    }
  }
  const nameServer = await serveNames(descriptorOf(built, '53'), {
    address: built.address,
    async exists(name) {
      if (!known.has(name) && options.presentHostNames !== undefined) {
        asking ??= ask(options.presentHostNames)
        await asking
      }
      return known.has(name)
    },
  })

  const userNamespace = descriptorOf(built, 'user')
  const networkNamespace = descriptorOf(built, 'net')
  const network: GroupNetwork = {
    setHostNames,
    async [Symbol.asyncDispose]() {
      if (!memberships.delete(network)) return
      for (const socket of open) socket.destroy()
      await Promise.all(listeners.map((server) => new Promise((resolve) => server.close(resolve))))
      await nameServer[Symbol.asyncDispose]()
      native.close(userNamespace)
      native.close(networkNamespace)
      rmSync(folder, { recursive: true, force: true })
    },
  }
  memberships.set(network, {
    userNamespace,
    networkNamespace,
    binds,
    ownPorts: built.groupAddress !== '127.0.0.1',
  })
  return network
}

function build(native: NativeParts): Promise<Built> {
  return new Promise((resolve, reject) => {
    const { child } = launch({
      native,
      arguments: (control) => ['network', String(control)],
      stdio: 'ignore',
      env: {},
      devicePath: '',
      injected: false,
      onMessage(message) {
        if (message.kind === 'network') resolve(message)
        if (message.kind === 'failed') {
          const { step, errno } = message
          reject(new RunnerError('ERR_NETWORK_NAMESPACE', `${step} failed with ${errno}`, { step, errno }))
        }
      },
      onEnd: () => reject(new RunnerError('ERR_NETWORK_NAMESPACE', 'the launcher ended before the network was there')),
    })
    child.on('error', reject)
  })
}

function listening(server: Server, descriptor: number): Promise<Server> {
  return new Promise((resolve, reject) => {
    server.on('error', reject)
    server.listen({ fd: descriptor }, () => resolve(server.unref()))
  })
}

function descriptorOf(built: Built, wanted: string): number {
  const found = built.descriptors.find(({ name }) => name === wanted)
  if (found === undefined || found.descriptor < 0) throw new Error(`the launcher sent no ${wanted} namespace`)
  return found.descriptor
}
