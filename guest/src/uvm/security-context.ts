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

/** What the host hands to every container of a confidential group. */
export interface SecurityContext {
  /** Where it was found, for a person: a directory, `environment`, or `nowhere`. */
  readonly source: string
  /** Certificates of the chip as of the container's start; they may be older than the firmware. */
  readonly certification?: ThimCertification
  /** Base64 of the endorsement of the utility VM (COSE_Sign1), as the file has it. */
  readonly referenceInfoBase64?: string
  /** Base64 of the CCE policy, as the file has it. */
  readonly securityPolicyBase64?: string
}

/** The value of the security context is there and is not what it must be. `file` names the file or variable. */
export class SecurityContextError extends Error {
  readonly code = 'ERR_SECURITY_CONTEXT'
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
}

type Value = keyof typeof SECURITY_CONTEXT_VARIABLES

/**
 * Reads the security context: the directory that `UVM_SECURITY_CONTEXT_DIR` names, else the first of the root whose name
 * says so, else the one of AKS. A value that no file has is taken from its environment variable. Nothing found is not an
 * error: certificates can still come from THIM.
 * @throws SecurityContextError for a value that cannot be decoded
 */
export async function readSecurityContext(options: SecurityContextOptions = {}): Promise<SecurityContext> {
  const { env = process.env, root = '/' } = options
  const directory = env[SECURITY_CONTEXT_DIR_VARIABLE] || (await findDirectory(root)) || SECURITY_CONTEXT_AKS_DIR
  const read = async (value: Value) => {
    const file = join(directory, SECURITY_CONTEXT_FILES[value])
    const text = await readText(file)
    if (text !== undefined) return { from: directory, file, text }
    const variable = SECURITY_CONTEXT_VARIABLES[value]
    const fromEnvironment = env[variable]?.trim()
    return fromEnvironment ? { from: 'environment', file: variable, text: fromEnvironment } : undefined
  }
  const [hostAmdCert, referenceInfo, securityPolicy] = await Promise.all([
    read('hostAmdCert'),
    read('referenceInfo'),
    read('securityPolicy'),
  ])
  return {
    source: (referenceInfo ?? hostAmdCert ?? securityPolicy)?.from ?? 'nowhere',
    ...(hostAmdCert && { certification: decodeCertification(hostAmdCert.file, hostAmdCert.text) }),
    ...(referenceInfo && { referenceInfoBase64: referenceInfo.text }),
    ...(securityPolicy && { securityPolicyBase64: securityPolicy.text }),
  }
}

/**
 * The endorsements that MAA takes, from the context.
 * @throws SecurityContextError when the reference info is not base64
 */
export function uvmEndorsementsOf(context: SecurityContext): Uint8Array[] {
  if (context.referenceInfoBase64 === undefined) return []
  try {
    return [decodeBase64(context.referenceInfoBase64)]
  } catch (cause) {
    throw new SecurityContextError(SECURITY_CONTEXT_FILES.referenceInfo, 'must be standard base64', cause)
  }
}

async function findDirectory(root: string): Promise<string | undefined> {
  const names = await readdir(root).catch(() => [])
  const found = names.sort().find((name) => name.includes(SECURITY_CONTEXT_DIR_PREFIX))
  return found === undefined ? undefined : join(root, found)
}

/** Undefined when the file is missing, unreadable or empty. */
async function readText(file: string): Promise<string | undefined> {
  const text = await readFile(file, 'utf8').catch(() => '')
  return text.trim() || undefined
}

function decodeCertification(file: string, text: string): ThimCertification {
  try {
    return parseThimCertification(JSON.parse(decodeUtf8(decodeBase64(text))))
  } catch (cause) {
    throw new SecurityContextError(
      file,
      `must be base64 of the host's certificates in JSON: ${(cause as Error).message}`,
      cause,
    )
  }
}
