import {
  SEV_KEY,
  SEV_REPORT,
  SEV_REQUEST,
  SNP_GET_DERIVED_KEY,
  SNP_GET_EXT_REPORT,
  SNP_GET_REPORT,
} from '@skerry/guest/wire'
import type { DeviceGeneration, DeviceMechanism } from '../types.ts'

/** What a container's seccomp profile is to say (OCI runtime-spec, Linux container configuration, `linux.seccomp`). */
export interface ProfileOptions {
  /** Absolute path of the socket at which the runtime leaves the listener. */
  readonly listenerPath: string
  readonly deviceGeneration: DeviceGeneration
  /**
   * `injected-descriptor`: opens of the device are answered, so that any image will do. `mount-namespace`: only its ioctl
   * is, and the container's configuration has a node at the device's path (`/dev/null` bound there).
   */
  readonly mechanism: DeviceMechanism
  /** As Node names it. */
  readonly architecture: string
}

/** The profile, as runc, crun and Docker (`--security-opt seccomp=FILE`) read it. */
export interface SeccompProfile {
  readonly defaultAction: 'SCMP_ACT_ALLOW'
  readonly architectures: readonly string[]
  readonly listenerPath: string
  readonly listenerMetadata: string
  readonly syscalls: readonly {
    readonly names: readonly string[]
    readonly action: 'SCMP_ACT_NOTIFY'
    readonly args?: readonly {
      readonly index: number
      readonly value: number
      readonly valueTwo: number
      readonly op: 'SCMP_CMP_MASKED_EQ'
    }[]
  }[]
}

const REQUESTS: Readonly<Record<DeviceGeneration, readonly number[]>> = {
  'sev-guest': [SNP_GET_REPORT, SNP_GET_DERIVED_KEY, SNP_GET_EXT_REPORT],
  sev: [SEV_REQUEST, SEV_REPORT, SEV_KEY],
}

const PATH_CALLS = [
  ...['openat', 'openat2', 'newfstatat', 'statx', 'faccessat', 'faccessat2', 'readlinkat'],
  ...['getxattr', 'lgetxattr', 'listxattr', 'llistxattr'],
]

/** Calls that only older architectures have. */
const PATH_CALLS_OF_X86_64 = ['open', 'stat', 'lstat', 'access', 'readlink']

/** A filter knows the architectures that are named, and kills what makes calls of another one. */
const ARCHITECTURES: Readonly<Record<string, readonly string[]>> = {
  x64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
}

/** The request is the low half of the register; the upper half is nobody's business. */
const LOW_HALF = 0xffff_ffff

/** @throws RangeError for an architecture that the native parts are not for */
export function seccompProfile(options: ProfileOptions): SeccompProfile {
  const { listenerPath, deviceGeneration, mechanism, architecture } = options
  const architectures = ARCHITECTURES[architecture]
  if (architectures === undefined) throw new RangeError(`there is no seccomp profile for ${architecture}`)
  const requests = REQUESTS[deviceGeneration].map((request) => ({
    names: ['ioctl'],
    action: 'SCMP_ACT_NOTIFY' as const,
    args: [{ index: 1, value: LOW_HALF, valueTwo: request, op: 'SCMP_CMP_MASKED_EQ' as const }],
  }))
  const paths = {
    names: architecture === 'x64' ? [...PATH_CALLS_OF_X86_64, ...PATH_CALLS] : PATH_CALLS,
    action: 'SCMP_ACT_NOTIFY' as const,
  }
  return {
    defaultAction: 'SCMP_ACT_ALLOW',
    architectures,
    listenerPath,
    listenerMetadata: profileMetadata(options),
    syscalls: mechanism === 'injected-descriptor' ? [...requests, paths] : requests,
  }
}

/** Comes back with each container: a profile that was written for another device is told from this one by it. */
export function profileMetadata({
  deviceGeneration,
  mechanism,
}: Pick<ProfileOptions, 'deviceGeneration' | 'mechanism'>) {
  return `skerry;device=${deviceGeneration};by=${mechanism}`
}
