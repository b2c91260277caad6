import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  decodeBase64,
  decodeUtf8,
  parseThimCertification,
  SECURITY_CONTEXT_AKS_DIR,
  SECURITY_CONTEXT_DIR_PREFIX,
  SECURITY_CONTEXT_DIR_VARIABLE,
  SECURITY_CONTEXT_FILES,
  SECURITY_CONTEXT_VARIABLES,
  type ThimCertification,
} from '../wire/index.ts'

/** What the host hands to every container of a confidential group. Base64 is as the file has it, without line breaks. */
export interface SecurityContext {
  /** Where it was found, for a person: a directory, `environment`, or `nowhere`. */
  readonly source: string
  /** Certificates of the chip as of the container's start; they may be older than the firmware. */
  readonly certification?: ThimCertification
  /** Base64 of the endorsement of the utility VM (COSE_Sign1). */
  readonly referenceInfoBase64?: string
  /** Base64 of the CCE policy. */
  readonly securityPolicyBase64?: string
  /** Newer hosts: base64 of the same endorsement with a transparency receipt (COSE, hash envelope). */
  readonly transparentReferenceInfoBase64?: string
  /** Newer hosts: base64 of COSE with reference values of the TCB, and of the platform. */
  readonly tcbReferenceInfoBase64?: string
  /** The same of the platform. */
  readonly platformReferenceInfoBase64?: string
}

/** The value of the security context is there and is not what it must be. `file` names the file or variable. */
export class SecurityContextError extends Error {
  readonly code = 'ERR_SECURITY_CONTEXT'
  /** The file or variable. */
  readonly file: string

  constructor(file: string, message: string, cause?: unknown) {
    super(`${file}: ${message}`, cause === undefined ? undefined : { cause })
    this.name = 'SecurityContextError'
    this.file = file
  }
}

export interface SecurityContextOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Where `security-context-…` is looked for. Default `/`. */
  readonly root?: string
  /**
   * Told of a value that cannot be decoded, which is then left out: certificates can be asked for. Default: it is thrown.
   */
  readonly problem?: (error: SecurityContextError) => void
}

type Value = keyof typeof SECURITY_CONTEXT_VARIABLES

/**
 * Reads the security context: the directory that `UVM_SECURITY_CONTEXT_DIR` names, else the first of the root (by name)
 * whose name says so, else the one of AKS. Where that has no reference info, or an empty one, the three values that have
 * environment variables come from those, as in the SKR sidecar: two hosts' values are not mixed. What no variable has is
 * then still the directory's. Nothing found is not an error: certificates can still come from THIM.
 * @throws SecurityContextError for a value that cannot be decoded
 */
export async function readSecurityContext(options: SecurityContextOptions = {}): Promise<SecurityContext> {
  const { env = process.env, root = '/', problem } = options
  const directory = env[SECURITY_CONTEXT_DIR_VARIABLE] || (await findDirectory(root)) || SECURITY_CONTEXT_AKS_DIR
  const fromFile = async (value: File): Promise<Found> => {
    const file = join(directory, SECURITY_CONTEXT_FILES[value])
    const text = await readText(file)
    return text === undefined ? undefined : { from: directory, file, text }
  }
  const files = await readAll(fromFile)
  const { transparentReferenceInfo: transparent, tcbReferenceInfo: tcb, platformReferenceInfo: platform } = files
  const value = (name: Value) => {
    if (files.referenceInfo !== undefined) return files[name]
    const variable = SECURITY_CONTEXT_VARIABLES[name]
    const text = withoutBreaks(env[variable] ?? '')
    return text === undefined ? files[name] : { from: 'environment', file: variable, text }
  }
  const [hostAmdCert, referenceInfo, securityPolicy] = [
    value('hostAmdCert'),
    value('referenceInfo'),
    value('securityPolicy'),
  ]
  const certification = hostAmdCert && decodeCertification(hostAmdCert.file, hostAmdCert.text, problem)
  return {
    source: (referenceInfo ?? transparent ?? hostAmdCert ?? securityPolicy)?.from ?? 'nowhere',
    ...(certification && { certification }),
    ...(referenceInfo && { referenceInfoBase64: referenceInfo.text }),
    ...(securityPolicy && { securityPolicyBase64: securityPolicy.text }),
    ...(transparent && { transparentReferenceInfoBase64: transparent.text }),
    ...(tcb && { tcbReferenceInfoBase64: tcb.text }),
    ...(platform && { platformReferenceInfoBase64: platform.text }),
  }
}

type File = keyof typeof SECURITY_CONTEXT_FILES
type Found = { readonly from: string; readonly file: string; readonly text: string } | undefined

async function readAll(read: (name: File) => Promise<Found>): Promise<Record<File, Found>> {
  const names = Object.keys(SECURITY_CONTEXT_FILES) as File[]
  const found = await Promise.all(names.map(async (name) => [name, await read(name)] as const))
  return Object.fromEntries(found) as Record<File, Found>
}

/**
 * The endorsement that MAA takes, from the context: the older form where the host has both.
 * @throws SecurityContextError when it is not base64
 */
export function uvmEndorsementsOf(context: SecurityContext): Uint8Array[] {
  const { referenceInfoBase64, transparentReferenceInfoBase64 } = context
  const text = referenceInfoBase64 ?? transparentReferenceInfoBase64
  if (text === undefined) return []
  try {
    return [decodeBase64(text)]
  } catch (cause) {
    const { referenceInfo, transparentReferenceInfo } = SECURITY_CONTEXT_FILES
    const file = referenceInfoBase64 === undefined ? transparentReferenceInfo : referenceInfo
    throw new SecurityContextError(file, 'must be standard base64', cause)
  }
}

async function findDirectory(root: string): Promise<string | undefined> {
  const names = await readdir(root).catch(() => [])
  const found = names.sort().find((name) => name.includes(SECURITY_CONTEXT_DIR_PREFIX))
  return found === undefined ? undefined : join(root, found)
}

/** Undefined when the file is missing, unreadable or empty. */
async function readText(file: string): Promise<string | undefined> {
  return withoutBreaks(await readFile(file, 'utf8').catch(() => ''))
}

/** `base64` of a shell breaks its lines, and ends the last one. Undefined when nothing is left. */
function withoutBreaks(text: string): string | undefined {
  return text.replaceAll(/\s+/g, '') || undefined
}

function decodeCertification(
  file: string,
  text: string,
  problem: SecurityContextOptions['problem'],
): ThimCertification | undefined {
  try {
    return parseThimCertification(JSON.parse(decodeUtf8(decodeBase64(text))))
  } catch (cause) {
    const error = new SecurityContextError(
      file,
      `must be base64 of the host's certificates in JSON: ${(cause as Error).message}`,
      cause,
    )
    if (problem === undefined) throw error
    problem(error)
    return undefined
  }
}
