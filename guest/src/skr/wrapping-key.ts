import { createHash, generateKeyPair, type KeyObject } from 'node:crypto'
import { promisify } from 'node:util'

/** An RSA key that a vault wraps one released key for. */
export interface WrappingKey {
  readonly privateKey: KeyObject
  /** RFC 7638 thumbprint, SHA-256, base64url. */
  readonly kid: string
  /** The JSON that is attested and so bound to the report: `{"keys":[jwk]}` in UTF-8. */
  readonly runtimeData: Uint8Array
}

export interface WrappingKeys {
  /** A key that nobody has been given before. */
  take(): Promise<WrappingKey>
}

const generate = promisify(generateKeyPair)

/** Makes one; tens to hundreds of milliseconds on libuv's pool. */
export async function createWrappingKey(): Promise<WrappingKey> {
  // The size that every client and the service agree on.
  const { publicKey, privateKey } = await generate('rsa', { modulusLength: 2048 })
  const { kty, n, e } = publicKey.export({ format: 'jwk' })
  const kid = createHash('sha256').update(JSON.stringify({ e, kty, n })).digest('base64url')
  const jwk = { kty, n, e, kid, key_ops: ['encrypt'] }
  return { privateKey, kid, runtimeData: Buffer.from(JSON.stringify({ keys: [jwk] })) }
}

/**
 * A small stock of wrapping keys, refilled in the background one at a time: generation is most of the time of a release.
 * Each key is given out once. The first are made when `take` is first called, or by `fill`.
 */
export function createWrappingKeys(
  options: { readonly size?: number; readonly create?: () => Promise<WrappingKey> } = {},
): WrappingKeys & { fill(): void } {
  const { size = 2, create = createWrappingKey } = options
  const stock: WrappingKey[] = []
  let filling = false
  const fill = async () => {
    if (filling) return
    filling = true
    try {
      while (stock.length < size) stock.push(await create())
    } catch {
      // Whoever takes next makes its own, and is told what goes wrong.
    } finally {
      filling = false
    }
  }
  return {
    async take() {
      const ready = stock.shift()
      const key = ready ?? (await create())
      void fill()
      return key
    },
    fill: () => void fill(),
  }
}
