import { createPublicKey } from 'node:crypto'
import { CompactEncrypt, compactDecrypt } from 'jose'
import type { EmulatorContext, VaultRecord } from '../../core/index.ts'
import type { KeyRecord, StoredMaterial } from '../state.ts'

/** A key with all its versions and their secrets, on its way out of a store and back. */
export interface BackedUpKey {
  readonly key: KeyRecord
  /** By version. */
  readonly materials: Readonly<Record<string, StoredMaterial>>
}

/** What stands before the JWE in a vault's blob. */
const VAULT_PREFIX = '&AzureKeyVaultKeyBackupV1.microsoft.com'
const ENC = 'A256CBC-HS512'

/** Encrypted for whoever made it: any vault of this emulator, or the one managed HSM. */
export interface BackupBlobs {
  seal(vault: VaultRecord, backedUp: BackedUpKey): Promise<Buffer>
  /** Undefined for what is not a blob, or not one of this vault or managed HSM. */
  open(vault: VaultRecord, blob: Buffer): Promise<BackedUpKey | undefined>
}

export function createBackupBlobs(ctx: EmulatorContext): BackupBlobs {
  const hsmKeys = ctx.store.collection<string>('managedhsm.backupKeys')
  const vaultKey = () => ctx.keys.rsa('keyvault-backup', 2048)
  const vaultKeyId = ctx.store.collection<string>('keyvault.backupKeyId')

  /** The stand-in for the key in a security domain: 64 bytes for AES and HMAC. */
  const hsmKey = (host: string): Buffer => {
    const known = hsmKeys.get(host)
    if (known !== undefined) return Buffer.from(known, 'base64')
    const made = ctx.random.bytes(64)
    hsmKeys.put(host, made.toString('base64'))
    return made
  }
  const keyId = () => {
    const known = vaultKeyId.get('') ?? ctx.random.uuid()
    vaultKeyId.put('', known)
    return known
  }

  return {
    async seal(vault, backedUp) {
      const jwe = new CompactEncrypt(Buffer.from(JSON.stringify(backedUp), 'utf8'))
      if (vault.kind === 'managedHsm') {
        jwe.setProtectedHeader({ alg: 'dir', enc: ENC, kid: 'backup-protection-key' })
        return Buffer.from(await jwe.encrypt(hsmKey(vault.host)), 'ascii')
      }
      jwe.setProtectedHeader({ kid: keyId(), alg: 'RSA-OAEP-256', enc: ENC })
      return Buffer.from(`${VAULT_PREFIX}${await jwe.encrypt(createPublicKey(await vaultKey()))}`, 'ascii')
    },
    async open(vault, blob) {
      const managedHsm = vault.kind === 'managedHsm'
      const text = blob.toString('ascii')
      if (!managedHsm && !text.startsWith(VAULT_PREFIX)) return undefined
      const jwe = managedHsm ? text : text.slice(VAULT_PREFIX.length)
      const algorithms = { keyManagementAlgorithms: [managedHsm ? 'dir' : 'RSA-OAEP-256'] }
      try {
        const key = managedHsm ? hsmKey(vault.host) : await vaultKey()
        const { plaintext } = await compactDecrypt(jwe, key, algorithms)
        return JSON.parse(Buffer.from(plaintext).toString('utf8')) as BackedUpKey
      } catch {
        return undefined
      }
    },
  }
}
