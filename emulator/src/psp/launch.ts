import { encodeGuestPolicy, type TcbVersion } from '@skerry/guest/wire'
import { FirmwareError, INVALID_PARAM, POLICY_FAILURE } from './errors.ts'
import type { HostSettings } from './options.ts'
import type { LaunchOptions } from './types.ts'

/** What the firmware keeps of a guest from its launch on. */
export interface LaunchedGuest {
  /** 32 bytes. */
  readonly reportId: Uint8Array
  readonly policy: bigint
  /** GUEST_SVN, FAMILY_ID and IMAGE_ID of the ID block. */
  readonly guestSvn: number
  readonly familyId: Uint8Array
  readonly imageId: Uint8Array
  /** 48 bytes: the digest of the image that was launched. */
  readonly measurement: Uint8Array
  /** 32 bytes. */
  readonly hostData: Uint8Array
  /** 48 bytes; undefined: the ID key of this host's guests. */
  readonly idKeyDigest?: Uint8Array
  /** 48 bytes; undefined: no author key. */
  readonly authorKeyDigest?: Uint8Array
  readonly vcekDisabled: boolean
  /** The VMPL whose communication key the guest's driver holds. */
  readonly vmpl: number
  readonly launchTcb: TcbVersion
  readonly launchMitVector: bigint
  /** VM root key: random for each launch, since there is no migration agent to give it. 32 bytes. */
  readonly vmRootKey: Uint8Array
}

/** GUEST_SVN, FAMILY_ID and IMAGE_ID of the ID block of Azure's utility VM. The SVN is not that of its endorsement. */
const GUEST_SVN = 2
const FAMILY_ID = idOf(1)
const IMAGE_ID = idOf(2)

/** 0x3001f, as on Azure: ABI 0.31, SMT allowed. With `debug` also bit 19. */
export function azureGuestPolicy(debug: boolean): bigint {
  return encodeGuestPolicy({ abiMajor: 0, abiMinor: 31, smtAllowed: true, debugAllowed: debug })
}

export interface LaunchSurroundings {
  readonly settings: HostSettings
  readonly currentTcb: TcbVersion
  readonly uvmMeasurement: Uint8Array
  readonly random: (size: number) => Uint8Array
  /** The host makes every guest debuggable. */
  readonly forceDebug: boolean
}

/**
 * SNP_LAUNCH_START and SNP_LAUNCH_FINISH.
 * @throws RangeError for a field of the wrong size, FirmwareError for a guest policy that this host cannot keep
 */
export function launchGuest(options: LaunchOptions, surroundings: LaunchSurroundings): LaunchedGuest {
  const { settings, random } = surroundings
  const bytes = (name: keyof LaunchOptions, size: number, value: Uint8Array) => {
    if (value.length !== size) throw new RangeError(`${name}: ${size} bytes wanted, ${value.length} given`)
    return value.slice()
  }
  const hostData = bytes('hostData', 32, options.hostData)
  const guestSvn = options.guestSvn ?? GUEST_SVN
  if (!Number.isInteger(guestSvn) || guestSvn < 0 || guestSvn > 0xffff_ffff) {
    throw new RangeError(`guestSvn: a u32 wanted, ${guestSvn} given`)
  }
  const policy = policyOf(options, surroundings.forceDebug)
  requireKeepable(policy, settings)
  const { idKeyDigest, authorKeyDigest } = options
  return {
    reportId: random(32),
    policy,
    guestSvn,
    familyId: bytes('familyId', 16, options.familyId ?? FAMILY_ID),
    imageId: bytes('imageId', 16, options.imageId ?? IMAGE_ID),
    measurement: bytes('measurement', 48, options.measurement ?? surroundings.uvmMeasurement),
    hostData,
    ...(idKeyDigest !== undefined && { idKeyDigest: bytes('idKeyDigest', 48, idKeyDigest) }),
    ...(authorKeyDigest !== undefined && { authorKeyDigest: bytes('authorKeyDigest', 48, authorKeyDigest) }),
    vcekDisabled: options.vcekDisabled ?? false,
    vmpl: options.vmpl ?? 0,
    launchTcb: surroundings.currentTcb,
    launchMitVector: settings.mitigationVector,
    vmRootKey: random(32),
  }
}

function policyOf({ policy, debug }: LaunchOptions, forceDebug: boolean): bigint {
  const wanted = policy ?? azureGuestPolicy(debug === true)
  return forceDebug || debug === true ? wanted | DEBUG : wanted
}

const DEBUG = 1n << 19n
const MUST_BE_ONE = 1n << 17n

/** A bit of the guest policy, and the bit of PLATFORM_INFO that a host must have for it. */
const NEEDS: readonly (readonly [policy: bigint, platform: bigint])[] = [
  [1n << 23n, 1n << 3n],
  [1n << 24n, 1n << 4n],
]
const SMT_ALLOWED = 1n << 16n
const SMT_ENABLED = 1n << 0n

/** AMD 56860, "Guest Policy": reserved bits, least ABI version, SMT, RAPL and ciphertext hiding as the host has them. */
function requireKeepable(policy: bigint, { firmware, platformInfo }: HostSettings): void {
  if ((policy & MUST_BE_ONE) === 0n || policy >> 26n !== 0n) throw new FirmwareError(INVALID_PARAM)
  const least = Number(policy & 0xffffn)
  const smt = (platformInfo & SMT_ENABLED) !== 0n && (policy & SMT_ALLOWED) === 0n
  const lacking = NEEDS.some(([bit, feature]) => (policy & bit) !== 0n && (platformInfo & feature) === 0n)
  if (least > firmware.major * 256 + firmware.minor || smt || lacking) throw new FirmwareError(POLICY_FAILURE)
}

export function isDebuggable({ policy }: Pick<LaunchedGuest, 'policy'>): boolean {
  return (policy & DEBUG) !== 0n
}

function idOf(first: number): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, at) => (at === 0 ? first : 0))
}
