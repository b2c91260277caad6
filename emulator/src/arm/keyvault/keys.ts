import type { VaultRecord } from '../../core/index.ts'
import { type KeyRecord, KeyVaultError, type KeyVersion, type VaultContents } from '../../keyvault/index.ts'
import { ArmError } from '../error.ts'
import { type ArmResource, type PutRequest, propertiesOf, type ResourceType, tagsOf } from '../providers/types.ts'
import { badRequest, vaultErrors } from './errors.ts'
import type { VaultType } from './vaults.ts'

/** Keys of a vault or managed HSM, as Resource Manager shows and makes them (Key Vault management, "Keys"). */
export interface ArmKeys extends ResourceType {
  /** Of a vault that is there, by the vault's id. @throws ArmError 403 on a managed HSM that does not let it */
  listOf(vaultId: string): ArmResource[]
  versionsOf(vaultId: string, name: string): ArmResource[]
  version(vaultId: string, name: string, version: string): ArmResource
}

export function armKeys(parent: VaultType, contents: VaultContents): ArmKeys {
  const require = (vaultId: string): VaultRecord => {
    const vault = parent.record(vaultId)
    if (vault === undefined) throw vaultErrors.parentNotFound(vaultId)
    if (contents.opensToResourceManager(vault)) return vault
    throw new ArmError(403, {
      code: 'Forbidden',
      message: `Key management operations through Azure Resource Manager are not allowed on the managed HSM '${vault.name}': its setting AllowKeyManagementOperationsThroughARM is false.`,
    })
  }
  const requireKey = (vaultId: string, name: string) => {
    const vault = require(vaultId)
    const key = contents.find(vault, name)
    if (key === undefined) throw vaultErrors.keyNotFound(name)
    return { vault, key }
  }
  const latest = (key: KeyRecord) => key.versions.at(-1)!
  return {
    type: `${parent.type}/keys`,
    get(id) {
      const { vaultId, name } = splitKeyId(id)
      const vault = parent.record(vaultId)
      const key = vault && contents.find(vault, name)
      return key && viewKey(require(vaultId), key, latest(key))
    },
    // Resource Manager's own lists of resources do not show keys.
    list: () => [],
    listOf: (vaultId) => {
      const vault = require(vaultId)
      return contents.list(vault).map((key) => viewKey(vault, key, latest(key)))
    },
    versionsOf(vaultId, name) {
      const { vault, key } = requireKey(vaultId, name)
      return key.versions.map((version) => viewKey(vault, key, version, 'version'))
    },
    version(vaultId, name, wanted) {
      const { vault, key } = requireKey(vaultId, name)
      const version = key.versions.find((each) => each.version === wanted.toLowerCase())
      if (version === undefined) throw vaultErrors.keyNotFound(`${name}/${wanted}`)
      return viewKey(vault, key, version, 'version')
    },
    /** Makes the first version of a key; one that is there is answered as it is. */
    async put(request) {
      const { vaultId, name } = splitKeyId(request.id)
      const vault = require(vaultId)
      if (contents.find(vault, name) === undefined) await createKey(contents, vault, name, request)
      const { key } = requireKey(vaultId, name)
      return { status: 200, body: viewKey(vault, key, latest(key)) }
    },
    async delete() {
      throw new ArmError(405, {
        code: 'MethodNotAllowed',
        message: 'Keys are deleted through the data plane of their vault.',
      })
    },
  }
}

async function createKey(contents: VaultContents, vault: VaultRecord, name: string, request: PutRequest) {
  const { kty, keyOps, keySize, curveName, attributes, release_policy, rotationPolicy } = propertiesOf(request.body)
  if (typeof kty !== 'string' || kty === '') throw badRequest('The property "kty" is missing.')
  const body = {
    kty,
    key_ops: keyOps,
    key_size: keySize,
    crv: curveName,
    attributes,
    release_policy,
    tags: tagsOf(request.body),
  }
  try {
    await contents.create(vault, name, { key: body, rotationPolicy }, request.caller)
  } catch (error) {
    // What the data plane refuses is refused here in its words.
    if (error instanceof KeyVaultError) throw new ArmError(error.status, { code: error.code, message: error.message })
    throw error
  }
}

function viewKey(vault: VaultRecord, key: KeyRecord, version: KeyVersion, as?: 'version'): ArmResource {
  const type = vault.kind === 'vault' ? 'vaults' : 'managedHSMs'
  const id = `${vault.id}/keys/${key.name}`
  const keyUri = `https://${vault.host}/keys/${key.name}`
  const { enabled, notBefore, expires, created, updated, keySize, publicJwk } = version
  const recoverable = vault.softDeleteRetentionInDays >= 90 ? 'Recoverable' : 'CustomizedRecoverable'
  return {
    id: as === undefined ? id : `${id}/versions/${version.version}`,
    name: as === undefined ? key.name : version.version,
    type: `Microsoft.KeyVault/${type}/keys${as === undefined ? '' : '/versions'}`,
    location: vault.location,
    tags: version.tags ?? {},
    properties: {
      attributes: {
        enabled,
        ...(notBefore !== undefined && { nbf: notBefore }),
        ...(expires !== undefined && { exp: expires }),
        created,
        updated,
        recoveryLevel: vault.enablePurgeProtection ? recoverable : `${recoverable}+Purgeable`,
        exportable: key.exportable,
      },
      kty: version.kty,
      keyOps: version.keyOps,
      ...(keySize !== undefined && { keySize }),
      ...(publicJwk.crv !== undefined && { curveName: publicJwk.crv }),
      keyUri,
      keyUriWithVersion: `${keyUri}/${version.version}`,
      ...(key.rotationPolicy !== undefined && { rotationPolicy: viewRotation(key.rotationPolicy) }),
      ...(key.releasePolicy !== undefined && { release_policy: key.releasePolicy }),
    },
  }
}

function viewRotation({ lifetimeActions, expiryTime, created, updated }: NonNullable<KeyRecord['rotationPolicy']>) {
  return {
    attributes: { created, updated, ...(expiryTime !== undefined && { expiryTime }) },
    lifetimeActions: lifetimeActions.map(({ type, ...trigger }) => ({ trigger, action: { type: type.toLowerCase() } })),
  }
}

/** `…/vaults/v/keys/k` in its two parts. */
function splitKeyId(id: string): { vaultId: string; name: string } {
  const at = id.toLowerCase().lastIndexOf('/keys/')
  return { vaultId: id.slice(0, at), name: id.slice(at + '/keys/'.length) }
}
