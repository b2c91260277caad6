import { createHash } from 'node:crypto'
import { decodeBase64 } from '@skerry/guest/wire'
import { ContainerGroupError } from './errors.ts'

/** What a guest is started with: the policy's bytes and their digest, HOST_DATA of the report. */
export interface GuestPolicyText {
  /** The decoded policy. */
  readonly text: Uint8Array
  /** SHA-256 of `text`, 32 bytes. */
  readonly hostData: Uint8Array
}

/** Enforcement points of the utility VM's policy engine (microsoft/hcsshim, pkg/securitypolicy), in the service's order. */
const ALLOW_ALL: readonly [point: string, more?: string, end?: string][] = [
  ['mount_device'],
  ['mount_overlay'],
  ['create_container', ', "env_list": null, "allow_stdio_access": true'],
  ['unmount_device', '', ' '],
  ['unmount_overlay'],
  ['exec_in_container', ', "env_list": null'],
  ['exec_external', ', "env_list": null, "allow_stdio_access": true'],
  ['shutdown_container'],
  ['signal_container_process'],
  ['plan9_mount'],
  ['plan9_unmount'],
  ['get_properties'],
  ['dump_stacks'],
  ['runtime_logging'],
  ['load_fragment'],
  ['scratch_mount'],
  ['scratch_unmount'],
]

/**
 * The policy that the service itself puts into a confidential group that brings none: everything is allowed. Its bytes
 * matter (one line ends in a space), since their SHA-256 is in the reports of such groups:
 * 73973b78d70cc68353426de188db5dfc57e5b766e399935fb73a61127ea26d20.
 */
export function allowAllPolicy(): Uint8Array {
  const points = ALLOW_ALL.map(([point, more = '', end = '']) => `${point} := {"allowed": true${more}}${end}\n`)
  return new TextEncoder().encode(`package policy\n\napi_svn := "0.10.0"\n\n${points.join('')}`)
}

/**
 * Decodes `confidentialComputeProperties.ccePolicy`: standard base64, padded, of the policy text.
 * @throws ContainerGroupError 400 when it is not base64 or empty
 */
export function decodeCcePolicy(ccePolicy: string, group: string): GuestPolicyText {
  const text = bytesOf(ccePolicy)
  if (text === undefined || text.length === 0) {
    throw new ContainerGroupError(
      400,
      'InvalidCcePolicy',
      `The ccePolicy of container group '${group}' is not a base64 encoded policy.`,
    )
  }
  return policyText(text)
}

function bytesOf(base64: string): Uint8Array | undefined {
  try {
    return decodeBase64(base64)
  } catch {
    return undefined
  }
}

export function policyText(text: Uint8Array): GuestPolicyText {
  return { text, hostData: createHash('sha256').update(text).digest() }
}

/**
 * The fault `policy`: a host that starts the guest with another policy than the one it was given. One byte differs,
 * and the policy still parses and means the same: white space changes its kind, or a comment its letter.
 */
export function tamperPolicy(policy: GuestPolicyText): GuestPolicyText {
  const text = Uint8Array.from(policy.text)
  const source = new TextDecoder('latin1').decode(text)
  const comment = /^[ \t]*#[^\n]*[A-Za-z0-9]/m.exec(source)
  if (comment !== null) {
    const at = comment.index + comment[0].length - 1
    text[at] = source[at] === 'x' ? 0x79 : 0x78
    return policyText(text)
  }
  // `api_version := …`: the space before an assignment may as well be a tab.
  const space = /[a-z_]( ):=/.exec(source)
  const at = space === null ? text.length - 1 : space.index + 1
  text[at] = space === null ? (text[at] ?? 0) ^ 0x01 : 0x09
  return policyText(text)
}
