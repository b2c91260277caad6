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

/**
 * Finds every place of `value` that holds a secret. An orchestration's input is its history, kept in storage and shown
 * by the management API: no place for secrets, so a request that brings one is refused as a whole.
 * The faults name the place, never the value.
 */
export function findSecrets(value: unknown, pointer = ''): Fault[] {
  if (Array.isArray(value)) return value.flatMap((item, index) => findSecrets(item, `${pointer}/${index}`))
  if (!isObject(value)) return []
  const faults: Fault[] = []
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

/** Values given for parameters that the template declares `securestring` or `secureObject`, and defaults of such. */
export function findSecureParameters(template: unknown, parameters: unknown): Fault[] {
  const declared = isObject(template) && isObject(template.parameters) ? template.parameters : {}
  const given = isObject(parameters) ? parameters : {}
  return Object.entries(declared).flatMap(([name, declaration]) => {
    if (!isObject(declaration) || !/^secure(string|object)$/i.test(String(declaration.type))) return []
    const faults: Fault[] = []
    if (!isEmpty(declaration.defaultValue))
      faults.push(secretFault(`/template/parameters/${escapeMember(name)}/defaultValue`))
    const value = Object.entries(given).find(([key]) => key.toLowerCase() === name.toLowerCase())
    if (value && isObject(value[1]) && !isEmpty(value[1].value))
      faults.push(secretFault(`/parameters/${escapeMember(value[0])}/value`))
    return faults
  })
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
