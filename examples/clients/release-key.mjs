// Has the key released with the official client. Runs in a guest: skerry run -- node examples/clients/release-key.mjs
// `@skerry/guest` has `releaseKey`, which does all of this and verifies what comes back; here each step is in sight.
import { generateKeyPairSync, privateDecrypt } from 'node:crypto'
import { ManagedIdentityCredential } from '@azure/identity'
import { KeyClient } from '@azure/keyvault-keys'
import { attest, createAttestationContext } from '@skerry/guest'

// The key that the vault wraps for: the report holds the digest of these runtime data, so that the token vouches for it.
const wrapping = generateKeyPairSync('rsa', { modulusLength: 2048 })
const { n, e } = wrapping.publicKey.export({ format: 'jwk' })
const runtimeData = Buffer.from(JSON.stringify({ keys: [{ kty: 'RSA', kid: 'wrapping', key_ops: ['encrypt'], n, e }] }))

const context = await createAttestationContext()
const token = await attest(context, { maaEndpoint: 'sharedweu.weu.attest.azure.net', runtimeData })

const client = new KeyClient('https://skerry.vault.azure.net', new ManagedIdentityCredential())
const { value: jws } = await client.releaseKey('my-key', token, { algorithm: 'RSA_AES_KEY_WRAP_256' })

const { response } = JSON.parse(Buffer.from(jws.split('.')[1], 'base64url'))
const { ciphertext } = JSON.parse(Buffer.from(response.key.key.key_hsm, 'base64url'))
const wrapped = Buffer.from(ciphertext, 'base64url')
// RSA-OAEP gives the AES key that wraps the rest (AES key wrap with padding), as PKCS #11's CKM_RSA_AES_KEY_WRAP has it.
const aes = privateDecrypt({ key: wrapping.privateKey, oaepHash: 'sha256' }, wrapped.subarray(0, 256))
console.log(
  `released ${response.key.key.kid}: ${wrapped.length - 256} bytes under an AES key of ${aes.length * 8} bits`,
)
