import { readFileSync } from 'node:fs'
import type { VirtualGuest } from '../psp/types.ts'
import { startConfined } from './confined-process.ts'
import { RunnerError } from './errors.ts'
import type { NativeLoad, NativeParts } from './native.ts'
import { createGroupNetwork, membershipOf } from './network.ts'
import { createSevGuestDriver } from './sev-guest-driver.ts'
import type { DeviceMechanism, RunnerCapabilities } from './types.ts'

export interface ProbeOptions {
  /** Default `auto`: the mount namespace, else the injected descriptor, else none. */
  readonly device?: 'auto' | RunnerCapabilities['device']
  /** Default true; false is for those who want no namespace, and for tests of what happens then. */
  readonly networkNamespace?: boolean
}

/** Finds out by trying: a cheap program opens the device and asks for a report; a network is built and let go. */
export async function probe(native: NativeLoad, options: ProbeOptions): Promise<RunnerCapabilities> {
  if ('missing' in native) {
    return inProcess([native.missing])
  }
  if (options.device === 'none') return inProcess(['The SNP device below the system call was switched off.'])
  const [device, network] = await Promise.all([
    probeDevice(native.parts, options.device ?? 'auto'),
    options.networkNamespace === false
      ? { works: false, notices: ['Container groups get no network namespace of their own: it was switched off.'] }
      : probeNetwork(native.parts),
  ])
  if (device.mechanism === 'none') return inProcess(device.notices)
  // Without a mount namespace of its own, which a network's comes with, a program has the file system of whoever runs it.
  const seen = device.mechanism === 'injected-descriptor' && !network.works ? [NOTHING_HIDDEN] : []
  return {
    device: device.mechanism,
    networkNamespace: network.works,
    notices: [...new Set([...device.notices, ...seen, ...network.notices])],
  }
}

const NOTHING_HIDDEN =
  "Nothing hides the emulator's files, with the keys in them, nor its process from the programs it runs: they are the " +
  'same user.'

/** A thread cannot enter a namespace that its process is not in. */
function inProcess(reasons: readonly string[]): RunnerCapabilities {
  const words =
    "The device is injected in process: the sidecar and the clients of Skerry's own images run as threads of the " +
    'emulator, in its network, and no other program can be run. One group runs at a time, and other local users could ' +
    'reach its ports.'
  return { device: 'none', networkNamespace: false, notices: [...reasons, words] }
}

async function probeDevice(native: NativeParts, wanted: 'auto' | DeviceMechanism) {
  const notices: string[] = []
  const candidates: DeviceMechanism[] = wanted === 'auto' ? ['mount-namespace', 'injected-descriptor'] : [wanted]
  for (const mechanism of candidates) {
    const tried = await tryDevice(native, mechanism)
    if (tried.works && mechanism === 'injected-descriptor' && notices.length > 0) {
      notices.push(`${notices.pop()} It is an injected descriptor instead.`)
    }
    notices.push(...tried.notices)
    if (tried.works) return { mechanism, notices }
  }
  return { mechanism: 'none' as const, notices }
}

async function tryDevice(native: NativeParts, mechanism: DeviceMechanism) {
  const notices: string[] = []
  const onMetadata = (metadata: string) => {
    if (metadata.includes('waitKillable=0')) {
      notices.push(
        'seccomp lacks WAIT_KILLABLE_RECV (Linux 5.19): a signal while a report is made has the call start anew.',
      )
    }
    if (mechanism === 'mount-namespace' && metadata.includes('ownPids=0')) {
      notices.push('No PID namespace: what a program leaves behind is ended by looking for it.')
    }
  }
  try {
    const process = await startConfined(
      { command: [native.launcher, 'try-device', '/dev/sev-guest'], env: {}, guest: SILENT_GUEST, output: () => {} },
      { native, mechanism, driver: createSevGuestDriver({ guest: SILENT_GUEST }), onMetadata },
    )
    const { code } = await process.exit
    if (code === 0) return { works: true, notices }
    return { works: false, notices: [deviceNotice(mechanism, `a program's request to it ended with errno ${code}`)] }
  } catch (error) {
    return { works: false, notices: [deviceNotice(mechanism, reasonOf(error))] }
  }
}

function deviceNotice(mechanism: DeviceMechanism, reason: string): string {
  return mechanism === 'mount-namespace'
    ? `The SNP device cannot be a node in a mount namespace: ${reason}.`
    : `The SNP device cannot be an injected descriptor either: ${reason}.`
}

async function probeNetwork(native: NativeParts) {
  try {
    await using network = await createGroupNetwork(native, { onConnection: (socket) => socket.destroy() })
    const notices = membershipOf(network).ownPorts
      ? []
      : ['The kernel has no veth: a container cannot listen on all addresses at port 443 or 80.']
    return { works: true, notices }
  } catch (error) {
    return {
      works: false,
      notices: [
        `No network namespace for a container group: ${reasonOf(error)}. ` +
          'One group runs at a time, and other local users could reach its ports.',
      ],
    }
  }
}

/** With the switch of this machine that is known to cause it, when one is set. */
function reasonOf(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  if (!(error instanceof RunnerError) || error.step === undefined) return message
  const cause = SWITCHES.find(({ path, refusing }) => readSwitch(path) === refusing)
  return cause === undefined ? message : `${message} (${cause.says})`
}

const SWITCHES = [
  {
    path: 'kernel/apparmor_restrict_unprivileged_userns',
    refusing: '1',
    says: 'AppArmor restricts unprivileged user namespaces: kernel.apparmor_restrict_unprivileged_userns is 1',
  },
  { path: 'kernel/unprivileged_userns_clone', refusing: '0', says: 'kernel.unprivileged_userns_clone is 0' },
  { path: 'user/max_user_namespaces', refusing: '0', says: 'user.max_user_namespaces is 0' },
]

function readSwitch(path: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${path}`, 'utf8').trim()
  } catch {
    return undefined
  }
}

/** Answers the probe's request: nothing that anyone would take for a report. */
const SILENT_GUEST: VirtualGuest = {
  reportId: new Uint8Array(32),
  reportRequest: async () => new Uint8Array(1216),
  keyRequest: async () => new Uint8Array(64),
  certificateTable: async () => new Uint8Array(),
}
