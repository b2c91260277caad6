import { WireError } from './errors.ts'
import {
  type JsonObject,
  optionalText,
  pointer,
  refuseUnknown,
  requireArray,
  requireObject,
  requireText,
} from './json.ts'
import { type ClaimCondition, parseClaimCondition } from './release-policy.ts'

/**
 * The `importkeyconfig.json` of the open-source SKR sidecar's key import tool: which key, in which vault, attested by
 * whom, released under which claims.
 */
export interface ImportKeyConfig {
  readonly key: {
    /** The key's name in the vault. */
    readonly kid: string
    readonly kty: ImportKeyType
    readonly key_ops?: readonly string[]
    readonly authority: { readonly endpoint: string; readonly tee_type?: string; readonly api_version?: string }
    readonly akv: { readonly endpoint: string; readonly api_version?: string }
  }
  readonly key_derivation?: { readonly salt: string; readonly label: string }
  /** Each inner list is one way to be allowed; all its conditions must hold. */
  readonly claims: readonly (readonly ClaimCondition[])[]
  readonly identity?: { readonly client_id?: string }
}

export const IMPORT_KEY_TYPES = ['RSA-HSM', 'oct-HSM', 'EC-HSM'] as const
export type ImportKeyType = (typeof IMPORT_KEY_TYPES)[number]

const CODE = 'ERR_IMPORT_KEY_CONFIG'

/**
 * Checks the whole document; a member that is not known is refused. `kty` may be left out: then a managed HSM gets
 * `oct-HSM` and a vault `RSA-HSM`. An empty `bearer_token` (the example's template has the member) is dropped.
 * @throws WireError with a JSON pointer in `at`: `ERR_SECRET_IN_REQUEST` for a bearer token (never its value),
 *   `ERR_UNSUPPORTED_KTY`, `ERR_IMPORT_KEY_CONFIG`
 */
export function parseImportKeyConfig(value: unknown): ImportKeyConfig {
  const config = requireObject(value, CODE, '')
  refuseUnknown(config, ['key', 'key_derivation', 'claims', 'identity'], CODE, '')
  const derivation = config.key_derivation === undefined ? undefined : parseDerivation(config.key_derivation)
  const identity = config.identity === undefined ? undefined : parseIdentity(config.identity)
  return {
    key: parseKey(config.key),
    ...(derivation !== undefined && { key_derivation: derivation }),
    claims: parseClaims(config.claims),
    ...(identity !== undefined && { identity }),
  }
}

function parseKey(value: unknown): ImportKeyConfig['key'] {
  const key = requireObject(value, CODE, '/key')
  refuseUnknown(key, ['kid', 'kty', 'key_ops', 'authority', 'akv'], CODE, '/key')
  const kid = requireText(key.kid, CODE, '/key/kid')
  if (!/^[0-9a-zA-Z-]{1,127}$/.test(kid)) {
    throw new WireError(CODE, '/key/kid must be a key name: 1 to 127 letters, digits and dashes', '/key/kid')
  }
  const akv = parseVault(key.akv)
  return {
    kid,
    kty: parseKeyType(key.kty, akv.endpoint),
    ...(key.key_ops !== undefined && { key_ops: parseKeyOps(key.key_ops) }),
    authority: parseAuthority(key.authority),
    akv,
  }
}

function parseAuthority(value: unknown): ImportKeyConfig['key']['authority'] {
  const at = '/key/authority'
  const authority = requireObject(value, CODE, at)
  refuseUnknown(authority, ['endpoint', 'tee_type', 'api_version'], CODE, at)
  return {
    endpoint: requireEndpoint(authority.endpoint, `${at}/endpoint`),
    ...texts(authority, ['tee_type', 'api_version'], at),
  }
}

function parseVault(value: unknown): ImportKeyConfig['key']['akv'] {
  const at = '/key/akv'
  const akv = requireObject(value, CODE, at)
  refuseUnknown(akv, ['endpoint', 'api_version', 'bearer_token'], CODE, at)
  if (akv.bearer_token !== undefined && akv.bearer_token !== '') {
    throw new WireError(
      'ERR_SECRET_IN_REQUEST',
      `${at}/bearer_token is a secret and has no place in a request`,
      `${at}/bearer_token`,
    )
  }
  return { endpoint: requireEndpoint(akv.endpoint, `${at}/endpoint`), ...texts(akv, ['api_version'], at) }
}

function parseKeyType(value: unknown, vaultEndpoint: string): ImportKeyType {
  if (value === undefined || value === '') return vaultEndpoint.includes('managedhsm') ? 'oct-HSM' : 'RSA-HSM'
  const kty = IMPORT_KEY_TYPES.find((type) => type === value)
  if (kty === undefined) {
    throw new WireError('ERR_UNSUPPORTED_KTY', `/key/kty must be one of ${IMPORT_KEY_TYPES.join(', ')}`, '/key/kty')
  }
  if (kty === 'oct-HSM' && !vaultEndpoint.includes('managedhsm')) {
    throw new WireError(
      'ERR_UNSUPPORTED_KTY',
      '/key/kty oct-HSM exists only in a managed HSM; a vault takes RSA-HSM or EC-HSM',
      '/key/kty',
    )
  }
  return kty
}

function parseKeyOps(value: unknown): string[] {
  const at = '/key/key_ops'
  return requireArray(value, CODE, at).map((operation, index) => requireText(operation, CODE, pointer(at, index)))
}

function parseClaims(value: unknown): ClaimCondition[][] {
  const ways = requireArray(value, CODE, '/claims')
  if (ways.length === 0) throw new WireError(CODE, '/claims must hold at least one list of conditions', '/claims')
  return ways.map((way, outer) => {
    const at = pointer('/claims', outer)
    const conditions = requireArray(way, CODE, at)
    if (conditions.length === 0) throw new WireError(CODE, `${at} must hold at least one condition`, at)
    return conditions.map((condition, inner) => parseClaimCondition(condition, pointer(at, inner), CODE))
  })
}

function parseDerivation(value: unknown): ImportKeyConfig['key_derivation'] {
  const at = '/key_derivation'
  const derivation = requireObject(value, CODE, at)
  refuseUnknown(derivation, ['salt', 'label'], CODE, at)
  return {
    salt: optionalText(derivation.salt, CODE, `${at}/salt`) ?? '',
    label: optionalText(derivation.label, CODE, `${at}/label`) ?? '',
  }
}

function parseIdentity(value: unknown): ImportKeyConfig['identity'] {
  const identity = requireObject(value, CODE, '/identity')
  refuseUnknown(identity, ['client_id'], CODE, '/identity')
  return texts(identity, ['client_id'], '/identity')
}

/** A host name, or an https URL without path: the sidecar's tool takes the former. */
function requireEndpoint(value: unknown, at: string): string {
  const text = requireText(value, CODE, at)
  const url = text.includes('://') ? text : `https://${text}`
  if (!URL.canParse(url)) throw new WireError(CODE, `${at} must be a host name such as name.vault.azure.net`, at)
  const { protocol, host, pathname, search, username } = new URL(url)
  if (protocol !== 'https:' || pathname !== '/' || search !== '' || username !== '') {
    throw new WireError(CODE, `${at} must be a host name such as name.vault.azure.net`, at)
  }
  return host
}

function texts<Name extends string>(
  object: JsonObject,
  names: readonly Name[],
  at: string,
): { [Key in Name]?: string } {
  const found = names.flatMap((name) => {
    const text = optionalText(object[name], CODE, pointer(at, name))
    return text === undefined ? [] : [[name, text]]
  })
  return Object.fromEntries(found) as { [Key in Name]?: string }
}
