// The key-release client of the SKR example (`/tests/skr/skr_client.sh`). It never prints the key. What it can print is
// a proof that it has it: SkrClientProof holds a ciphertext made with the key beforehand, and the digest of what the
// released key opens it to goes into the log.
import { constants, createDecipheriv, createHash, createPrivateKey, privateDecrypt } from 'node:crypto'
import { ask, oneLine, repeat, secondsFrom, waitForSidecar } from './sidecar-api.mjs'

const { SkrClientMAAEndpoint, SkrClientAKVEndpoint, SkrClientKID: kid = '', SkrClientProof } = process.env
const proof = readProof(SkrClientProof)

await waitForSidecar()
await repeat(secondsFrom('SkrClientInterval', 5), releaseAndProve)

async function releaseAndProve() {
  const released = await release(kid)
  if (released.jwk === undefined) return refused(released)
  if (proof === undefined) {
    console.log(`released kid=${kid} kty=${released.jwk.kty}`)
    return
  }
  try {
    return show(kid, open(released.jwk))
  } catch {
    // The name stands for the newest version; the ciphertext may be of an older one.
  }
  if (!proof.version || kid.includes('/')) return console.log('proof failed: the released key does not open it')
  const older = await release(`${kid}/${proof.version}`)
  if (older.jwk === undefined) return refused(older)
  try {
    show(kid, open(older.jwk))
  } catch {
    console.log('proof failed: the released key does not open it')
  }
}

/** The released key as a JSON Web Key, or why there is none. */
async function release(name) {
  const answer = await ask('/key/release', {
    maa_endpoint: SkrClientMAAEndpoint,
    akv_endpoint: SkrClientAKVEndpoint,
    kid: name,
  })
  if (answer.status !== 200 || typeof answer.key !== 'string') return answer
  try {
    return { status: 200, jwk: JSON.parse(answer.key) }
  } catch {
    return { status: 200, error: 'the key is not a JSON Web Key' }
  }
}

function refused({ status, error }) {
  console.log(`release refused status=${status} error=${oneLine(error)}`)
}

function show(name, plaintext) {
  const version = proof.version && !name.includes('/') ? `/${proof.version}` : ''
  const sha256 = createHash('sha256').update(plaintext).digest('hex')
  plaintext.fill(0)
  console.log(`proof kid=${name}${version} sha256=${sha256}`)
}

/** Decrypts the proof; throws when the key is not the one. */
function open(jwk) {
  const bytes = (text) => Buffer.from(text ?? '', 'base64url')
  if (proof.alg === 'RSA-OAEP-256') {
    const key = createPrivateKey({ key: jwk, format: 'jwk' })
    const padding = constants.RSA_PKCS1_OAEP_PADDING
    return privateDecrypt({ key, padding, oaepHash: 'sha256' }, bytes(proof.ciphertext))
  }
  const decipher = createDecipheriv('aes-256-gcm', bytes(jwk.k), bytes(proof.iv), { authTagLength: 16 })
  decipher.setAuthTag(bytes(proof.tag))
  return Buffer.concat([decipher.update(bytes(proof.ciphertext)), decipher.final()])
}

function readProof(text) {
  if (!text) return undefined
  try {
    const value = JSON.parse(Buffer.from(text, 'base64url').toString('utf8'))
    if (['RSA-OAEP-256', 'A256GCM'].includes(value.alg) && typeof value.ciphertext === 'string') return value
  } catch {
    // Said below.
  }
  console.error('SkrClientProof must be base64url of JSON {alg: RSA-OAEP-256 or A256GCM, ciphertext, iv, tag, version}')
  process.exit(1)
}
