import type { Fault } from '../problem.ts'

/** Members that hold a secret in an ARM template, its parameters or an import configuration. Compared without case. */
const SECRET_MEMBERS = new Set([
  'bearer_token',
  'access_token',
  'password',
  'securevalue',
  'storageaccountkey',
  'workspacekey',
  'protectedsettings',
  'clientsecret',
  'client_secret',
])

/** Members that hold key material in a JSON Web Key. */
const KEY_MATERIAL = new Set(['d', 'dp', 'dq', 'qi', 'p', 'q', 'k', 'key_hsm'])

/** Texts that hold a secret wherever they stand: a private key, a URL with a password or a shared access signature. */
const SECRET_TEXTS = [
  /-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/,
  /\b[a-z][a-z0-9+.-]*:\/\/[^\s/:@]*:[^\s/@]+@/i,
  /[?&]sig=[^&\s]/i,
] as const

/**
 * Finds every place of `value` that holds a secret. An orchestration's input is its history, kept in storage and shown
 * by the management API: no place for secrets, so a request that brings one is refused as a whole.
 * The faults name the place, never the value.
 */
export function findSecrets(value: unknown, pointer = ''): Fault[] {
  if (typeof value === 'string') return SECRET_TEXTS.some((text) => text.test(value)) ? [secretFault(pointer)] : []
  if (Array.isArray(value)) return value.flatMap((item, index) => findSecrets(item, `${pointer}/${index}`))
  if (!isObject(value)) return []
  const faults = findSecureParameters(value, pointer)
  for (const [member, content] of Object.entries(value)) {
    const at = `${pointer}/${escapeMember(member)}`
    if (isEmpty(content)) continue
    const lower = member.toLowerCase()
    if (SECRET_MEMBERS.has(lower)) faults.push(secretFault(at))
    else if (KEY_MATERIAL.has(member) && 'kty' in value) faults.push(secretFault(at))
    else if (lower === 'secret' && looksLikeSecretVolume(value)) faults.push(secretFault(at))
    else faults.push(...findSecrets(content, at))
  }
  return faults
}

/**
 * What a holder of a template (a request, or a nested deployment in a template) gives away: values for parameters that
 * the template declares `securestring` or `secureObject`, defaults of such, and outputs that are no expression.
 */
function findSecureParameters(holder: Record<string, unknown>, pointer: string): Fault[] {
  const { template, parameters } = holder
  if (!isObject(template)) return []
  const given = isObject(parameters) ? parameters : {}
  const at = `${pointer}/template`
  const declared = secureOnes(template.parameters).flatMap(([name, declaration]) => {
    const faults: Fault[] = []
    if (!isEmpty(declaration.defaultValue))
      faults.push(secretFault(`${at}/parameters/${escapeMember(name)}/defaultValue`))
    const value = Object.entries(given).find(([key]) => key.toLowerCase() === name.toLowerCase())
    if (value && isObject(value[1]) && !isEmpty(value[1].value))
      faults.push(secretFault(`${pointer}/parameters/${escapeMember(value[0])}/value`))
    return faults
  })
  const outputs = secureOnes(template.outputs)
    .filter(([, { value }]) => !isEmpty(value) && !(typeof value === 'string' && value.startsWith('[')))
    .map(([name]) => secretFault(`${at}/outputs/${escapeMember(name)}/value`))
  return [...declared, ...outputs]
}

/** Declarations of a secure type, by name. */
function secureOnes(declarations: unknown): [string, Record<string, unknown>][] {
  return Object.entries(isObject(declarations) ? declarations : {}).filter(
    (entry): entry is [string, Record<string, unknown>] =>
      isObject(entry[1]) && /^secure(string|object)$/i.test(String(entry[1].type)),
  )
}

function secretFault(pointer: string): Fault {
  return {
    code: 'ERR_SECRET_IN_REQUEST',
    pointer,
    detail:
      "a secret has no place in a request: it would stay in the orchestration's history. " +
      'Use a managed identity for registries and vaults; keys are made inside the vault.',
  }
}

/** `volumes[].secret` maps file names to contents; a member called `secret` elsewhere is not one. */
function looksLikeSecretVolume(holder: Record<string, unknown>): boolean {
  return typeof holder.name === 'string' && isObject(holder.secret)
}

export function escapeMember(member: string): string {
  return member.replaceAll('~', '~0').replaceAll('/', '~1')
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '' || (isObject(value) && Object.keys(value).length === 0)
}
