import { existsSync } from 'node:fs'
import type { VirtualGuest } from '../psp/types.ts'
import { startConfined } from './confined-process.ts'
import { RunnerError, type RunnerErrorCode } from './errors.ts'
import type { NativeLoad, NativeParts } from './native.ts'
import { createGroupNetwork, membershipOf } from './network.ts'
import { type Refusal, refusalOf } from './refusals.ts'
import { createSevGuestDriver } from './sev-guest-driver.ts'
import type { DeviceMechanism, MissingFeature, RunnerCapabilities } from './types.ts'

export interface ProbeOptions {
  /** Default `auto`: the mount namespace, else the injected descriptor, else none. */
  readonly device?: 'auto' | RunnerCapabilities['device']
  /** Default true; false is for those who want no namespace, and for tests of what happens then. */
  readonly networkNamespace?: boolean
}

/** Finds out by trying: a cheap program opens the device and asks for a report; a network is built and let go. */
export async function probe(native: NativeLoad, options: ProbeOptions): Promise<RunnerCapabilities> {
  if ('missing' in native) return inProcess([native.missing], everythingMissing(native.code, native.missing))
  if (!existsSync('/proc/self/fd')) return inProcess([NO_PROC], everythingMissing('ERR_PROC_MISSING', NO_PROC))
  if (options.device === 'none') {
    const off = 'The SNP device below the system call was switched off.'
    return inProcess([off], everythingMissing('ERR_DEVICE_UNAVAILABLE', off))
  }
  const [device, built] = await Promise.all([
    probeDevice(native.parts, options.device ?? 'auto'),
    options.networkNamespace === false ? SWITCHED_OFF : probeNetwork(native.parts),
  ])
  // Whoever joins a network has a file of host names mounted.
  const mounts = device.missing.find(({ feature }) => feature === 'mount-namespace')
  const network = built.works && mounts !== undefined ? withoutNetwork(mounts) : built
  const missing = [...device.missing, ...network.missing]
  if (device.mechanism === 'none') return inProcess(device.notices, missing)
  // Without a mount namespace of its own, which a network's comes with, a program has the file system of whoever runs it.
  const seen = device.mechanism === 'injected-descriptor' && !network.works ? [NOTHING_HIDDEN] : []
  return {
    device: device.mechanism,
    networkNamespace: network.works,
    missing,
    notices: [...new Set([...device.notices, ...seen, ...network.notices])],
  }
}

const NOTHING_HIDDEN =
  "Nothing hides the emulator's files, with the keys in them, nor its process from the programs it runs: they are the " +
  'same user.'

const NO_PROC = 'There is no /proc that shows this process: the callers of the device are looked up there.'

const SWITCHED_OFF_WORDS = 'Container groups get no network namespace of their own: it was switched off.'
const SWITCHED_OFF: ProbedNetwork = {
  works: false,
  notices: [SWITCHED_OFF_WORDS],
  missing: [{ feature: 'network-namespace', code: 'ERR_NETWORK_NAMESPACE', message: SWITCHED_OFF_WORDS }],
}

interface ProbedNetwork {
  readonly works: boolean
  readonly notices: readonly string[]
  readonly missing: readonly MissingFeature[]
}

const FEATURES = ['mount-namespace', 'injected-descriptor', 'network-namespace'] as const

function everythingMissing(code: RunnerErrorCode, message: string): MissingFeature[] {
  return FEATURES.map((feature) => ({ feature, code, message }))
}

/** A thread cannot enter a namespace that its process is not in. */
function inProcess(reasons: readonly string[], missing: readonly MissingFeature[]): RunnerCapabilities {
  const words =
    "The device is injected in process: the sidecar and the clients of Skerry's own images run as threads of the " +
    'emulator, in its network, and no other program can be run. One group runs at a time, and other local users could ' +
    'reach its ports.'
  return { device: 'none', networkNamespace: false, missing, notices: [...reasons, words] }
}

async function probeDevice(native: NativeParts, wanted: 'auto' | DeviceMechanism) {
  const notices: string[] = []
  const missing: MissingFeature[] = []
  const candidates: DeviceMechanism[] = wanted === 'auto' ? ['mount-namespace', 'injected-descriptor'] : [wanted]
  for (const mechanism of candidates) {
    const tried = await tryDevice(native, mechanism)
    if (tried.works && mechanism === 'injected-descriptor' && notices.length > 0) {
      notices.push(`${notices.pop()} It is an injected descriptor instead.`)
    }
    notices.push(...tried.notices)
    if (tried.works) return { mechanism, notices, missing }
    missing.push({ feature: mechanism, ...tried.refusal })
  }
  return { mechanism: 'none' as const, notices, missing }
}

type Tried =
  | { readonly works: true; readonly notices: readonly string[] }
  | { readonly works: false; readonly notices: readonly string[]; readonly refusal: Refusal }

async function tryDevice(native: NativeParts, mechanism: DeviceMechanism): Promise<Tried> {
  const notices: string[] = []
  let unreachable: RunnerError | undefined
  const refused = (refusal: Refusal): Tried => ({
    works: false,
    notices: [deviceNotice(mechanism, refusal.message)],
    refusal,
  })
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
      {
        native,
        mechanism,
        driver: createSevGuestDriver({ guest: SILENT_GUEST }),
        onMetadata,
        onUnreachable: (error) => (unreachable = error),
      },
    )
    const { code } = await process.exit
    if (code === 0) return { works: true, notices }
    if (unreachable !== undefined) return refused({ code: unreachable.code, message: unreachable.message.slice(0, -1) })
    return refused({ code: 'ERR_CONFINEMENT', message: `a program's request to it ended with errno ${code}` })
  } catch (error) {
    return refused(refusalFrom(error))
  }
}

function deviceNotice(mechanism: DeviceMechanism, reason: string): string {
  return mechanism === 'mount-namespace'
    ? `The SNP device cannot be a node in a mount namespace: ${reason}.`
    : `The SNP device cannot be an injected descriptor either: ${reason}.`
}

async function probeNetwork(native: NativeParts): Promise<ProbedNetwork> {
  try {
    await using network = await createGroupNetwork(native, { onConnection: (socket) => socket.destroy() })
    const notices = membershipOf(network).ownPorts
      ? []
      : ['The kernel has no veth: a container cannot listen on all addresses at port 443 or 80.']
    return { works: true, notices, missing: [] }
  } catch (error) {
    return withoutNetwork(refusalFrom(error))
  }
}

function withoutNetwork({ code, message }: Refusal): ProbedNetwork {
  const words =
    `No network namespace for programs: ${message}. They share this machine's network: one container group runs at a ` +
    'time, and other local users could reach its ports.'
  return { works: false, notices: [words], missing: [{ feature: 'network-namespace', code, message }] }
}

function refusalFrom(error: unknown): Refusal {
  if (error instanceof RunnerError && error.step !== undefined && error.errno !== undefined) {
    return refusalOf(error.step, error.errno)
  }
  const message = error instanceof Error ? error.message : String(error)
  return { code: error instanceof RunnerError ? error.code : 'ERR_CONFINEMENT', message }
}

/** Answers the probe's request: nothing that anyone would take for a report. */
const SILENT_GUEST: VirtualGuest = {
  reportId: new Uint8Array(32),
  reportRequest: async () => new Uint8Array(1216),
  keyRequest: async () => new Uint8Array(64),
  certificateTable: async () => new Uint8Array(),
}
