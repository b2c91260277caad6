import { createHash, randomBytes } from 'node:crypto'
import { clients } from '../azure/clients.ts'
import { parseGroupId } from '../azure/group-id.ts'
import { done, refused } from '../azure/outcome.ts'
import type { KeyReference, KeySpec } from '../deployment/record.ts'
import { activity } from './activity.ts'

export interface Challenge {
  readonly keyVersion: string
  /** Value of the container's proof variable: base64url of JSON `{alg, ciphertext, iv?, tag?, version}`, binaries base64url. */
  readonly variable: string
  readonly plaintextSha256: string
}

/**
 * Encrypts a random text under the key version, in the vault. Whoever prints the text's digest later has the key; the text
 * itself is forgotten here, so that neither history nor log ever holds it.
 */
export const makeChallenge = activity<{ key: KeyReference; kty: KeySpec['kty'] }, Challenge>(
  'makeChallenge',
  async ({ key, kty }) => {
    const plaintext = randomBytes(32)
    try {
      const client = clients.cryptography(key.id)
      const alg = kty === 'oct-HSM' ? 'A256GCM' : 'RSA-OAEP-256'
      const sealed = await client.encrypt({ algorithm: alg, plaintext })
      const text = (bytes: Uint8Array | undefined) => (bytes ? Buffer.from(bytes).toString('base64url') : undefined)
      const challenge = {
        alg,
        ciphertext: text(sealed.result),
        iv: text(sealed.iv),
        tag: text(sealed.authenticationTag),
        version: key.version,
      }
      return done({
        keyVersion: key.version,
        variable: Buffer.from(JSON.stringify(challenge)).toString('base64url'),
        plaintextSha256: createHash('sha256').update(plaintext).digest('hex'),
      })
    } finally {
      plaintext.fill(0)
    }
  },
)

export interface Sighting {
  readonly proven: boolean
  /** The container's own words when the last thing it said was that the release was refused. */
  readonly refusal?: string
}

interface ReadProofInput {
  readonly groupId: string
  readonly container: string
  readonly plaintextSha256: string
}

/** Looks for the digest in the container's log, read through ARM. */
export const readProof = activity<ReadProofInput, Sighting>(
  'readProof',
  async ({ groupId, container, plaintextSha256 }) => {
    const id = parseGroupId(groupId)
    if (!id) return refused('ERR_GROUP_ID', `not the id of a container group: ${groupId}`)
    const { content = '' } = await clients
      .groups(id.subscriptionId)
      .containers.listLogs(id.resourceGroup, id.name, container, { tail: 200 })
    return done(sightingOf(content, plaintextSha256))
  },
)

/** What a log says of the proof: the line `proof kid=… sha256=<digest>`, or the last line `release refused …`. */
export function sightingOf(log: string, plaintextSha256: string): Sighting {
  const lines = log.split(/\r?\n/)
  if (lines.some((line) => line.includes(`sha256=${plaintextSha256}`))) return { proven: true }
  const refusal = lines.findLast((line) => line.includes('release refused'))
  return {
    proven: false,
    ...(refusal !== undefined && { refusal: refusal.slice(refusal.indexOf('release refused'), 600) }),
  }
}
