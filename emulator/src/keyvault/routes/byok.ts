import type { Call } from '../call.ts'
import { importedOct, keyTypeOf, type NewKey, privateKeyOf, readPkcs8 } from '../crypto/material.ts'
import { readTransferBlob, unwrapTransfer } from '../crypto/transfer-blob.ts'
import { badParameter } from '../errors.ts'
import { type KeyStore, settleCurve, storedKeyType } from '../rules/key-types.ts'
import { type StoredMaterial, versionOf } from '../state.ts'

/*
 * Bring your own key: an import whose secret does not stand in the JWK but in `key_hsm`, wrapped for a key of this vault
 * or managed HSM that is there for nothing else.
 */

export type TransferredJwk = Readonly<Record<string, unknown>> & { readonly key_hsm: unknown }

export function isTransferred(jwk: Readonly<Record<string, unknown>> | undefined): jwk is TransferredJwk {
  return jwk?.key_hsm !== undefined && jwk.key_hsm !== null
}

/** The key that was wrapped. Throws 400 that says what is wrong with the blob, its key exchange key or what was in it. */
export function readTransferredKey(call: Call, jwk: TransferredJwk, store: KeyStore): NewKey {
  const kty = storedKeyType(keyTypeOf(jwk, store), store, true)
  const { kekId, ciphertext } = readTransferBlob(jwk.key_hsm)
  const plaintext = unwrapTransfer(privateKeyOf(exchangeKey(call, kekId)), ciphertext)
  try {
    if (kty === 'oct-HSM') return importedOct(Buffer.from(plaintext))
    if (kty !== 'RSA-HSM' && kty !== 'EC-HSM') throw badParameter('Property key.kty has invalid value')
    const made = readPkcs8(kty, plaintext, () =>
      badParameter(`What was wrapped in key.key_hsm is not a PKCS#8 key that can be an ${kty} key`),
    )
    const { crv } = jwk
    if (typeof crv === 'string' && settleCurve(crv) !== made.publicJwk.crv) {
      throw badParameter('Property key.crv is not the curve of the key in key.key_hsm')
    }
    return made
  } finally {
    plaintext.fill(0)
  }
}

/** The private key that `kid` names: an RSA-HSM key of this very vault that may do nothing but `import`. */
function exchangeKey(call: Call, kid: string): StoredMaterial {
  const { keys } = call.parts
  const [, name = '', asked = ''] = pathOf(kid, call.vault.host) ?? []
  const key = name === '' ? undefined : keys.find(call.vault.host, name)
  const version = key === undefined || key.deleted !== undefined ? undefined : versionOf(key, asked)
  if (key === undefined || version === undefined) {
    throw badParameter('The key exchange key that header.kid of key.key_hsm names is not in this vault')
  }
  const { keyOps } = version
  if (version.kty !== 'RSA-HSM' || keyOps.length !== 1 || keyOps[0] !== 'import') {
    throw badParameter('A key exchange key must be an RSA-HSM key whose key_ops are import and nothing else')
  }
  if (!version.enabled) throw badParameter('The key exchange key that header.kid of key.key_hsm names is disabled')
  return keys.material(key, version)
}

function pathOf(kid: string, host: string): RegExpExecArray | undefined {
  if (!URL.canParse(kid)) return undefined
  const { hostname, pathname } = new URL(kid)
  const path = /^\/keys\/([0-9a-z-]{1,127})\/([0-9a-f]{32})\/?$/i.exec(pathname)
  return hostname.toLowerCase() === host && path !== null ? path : undefined
}
