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

export interface WrappingKeysOptions {
  /** How many are kept ready. Default 8. */
  readonly size?: number
  /** How many are made at a time; each holds a thread of libuv's pool, which ioctls need, too. Default 2. */
  readonly parallel?: number
  readonly create?: () => Promise<WrappingKey>
}

/**
 * A stock of wrapping keys, refilled in the background: generation is most of the time of a release. Each key is given
 * out once, and whoever comes first gets the next one that is ready. The first are made when `take` is first called, or
 * by `fill`.
 */
export function createWrappingKeys(options: WrappingKeysOptions = {}): WrappingKeys & { fill(): void } {
  const { size = 8, parallel = 2, create = createWrappingKey } = options
  const stock: WrappingKey[] = []
  const waiting: PromiseWithResolvers<WrappingKey>[] = []
  let underWay = 0

  const make = async () => {
    underWay += 1
    try {
      const key = await create()
      const first = waiting.shift()
      if (first === undefined) stock.push(key)
      else first.resolve(key)
      underWay -= 1
      fill()
    } catch (error) {
      underWay -= 1
      // Who waits longest is told what goes wrong. Without anybody waiting, the next to come will see for itself.
      const first = waiting.shift()
      first?.reject(error)
      if (first !== undefined) fill()
    }
  }

  const fill = () => {
    while (underWay < parallel && stock.length + underWay < size + waiting.length) void make()
  }

  return {
    async take() {
      const ready = stock.shift()
      if (ready !== undefined) {
        fill()
        return ready
      }
      const turn = Promise.withResolvers<WrappingKey>()
      waiting.push(turn)
      fill()
      return await turn.promise
    },
    fill,
  }
}
