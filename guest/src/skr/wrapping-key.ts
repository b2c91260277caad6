import { createHash, generateKeyPair, type KeyObject } from 'node:crypto'
import { availableParallelism } from 'node:os'
import { promisify } from 'node:util'
import { type Clock, systemClock } from '../clock.ts'

/** An RSA key that a vault wraps one released key for. */
export interface WrappingKey {
  /** RSA-2048; used once. */
  readonly privateKey: KeyObject
  /** RFC 7638 thumbprint, SHA-256, base64url. */
  readonly kid: string
  /** The JSON that is attested and so bound to the report: `{"keys":[jwk]}` in UTF-8. */
  readonly runtimeData: Uint8Array
}

/** Where wrapping keys come from. */
export interface WrappingKeys {
  /** A key that nobody has been given before. */
  take(): Promise<WrappingKey>
  /** Says that what one was taken for is over, well or badly: keys are best made while nothing else is done. */
  done?(): void
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

/** How large the stock is, and how it is filled. */
export interface WrappingKeysOptions {
  /** How many are kept ready at first. Default 8. */
  readonly size?: number
  /** How many are kept ready at most, after bursts that needed more than there were. Default 8 times `size`. */
  readonly most?: number
  /** How many are made at a time while somebody waits; each holds a thread of libuv's pool, which ioctls need, too. Default: one for each processor, at most 3. */
  readonly parallel?: number
  /** Makes one; default `createWrappingKey`, RSA-2048. */
  readonly create?: () => Promise<WrappingKey>
  /** Default: the system's. */
  readonly clock?: Clock
}

/** A stock that keeps itself filled. */
export interface WrappingKeyStock extends WrappingKeys {
  /** Says that the release of one key is over, well or badly. */
  done(): void
  /** Makes the first ones now, not after the first `take`. */
  fill(): void
}

/** How long nothing must have happened before keys are made for later. */
const REST_MS = 50

/** A release that takes longer waits for the network and not for a processor; or nobody said that it was over. */
const LONGEST_RELEASE_MS = 2000

/**
 * A stock of wrapping keys, refilled in the background: to make one takes several times as long as all the rest of a
 * release. Each key is given out once, and whoever comes first gets the next one that is ready.
 *
 * Making a key must not slow the release that it is not for. While somebody waits, as many are made at a time as may be.
 * With the last key given out, one is made for whoever comes next. All others are made one after the other when no
 * release has been under way for a moment. A burst that was larger than the stock has it kept as large from then on.
 */
export function createWrappingKeys(options: WrappingKeysOptions = {}): WrappingKeyStock {
  const {
    size = 8,
    most = 8 * size,
    parallel = Math.min(availableParallelism(), 3),
    create = createWrappingKey,
    clock = systemClock,
  } = options
  const stock: WrappingKey[] = []
  const waiting: PromiseWithResolvers<WrappingKey>[] = []
  let target = size
  let beingMade = 0
  /** Keys that are out, and whoever waits for one. */
  let underWay = 0
  /** Changes with whatever happens. */
  let events = 0
  /** How many were asked for since the last rest. */
  let burst = 0
  let resting = false
  let awaitingRest = false

  const make = async () => {
    beingMade += 1
    try {
      const key = await create()
      const first = waiting.shift()
      if (first === undefined) stock.push(key)
      else first.resolve(key)
      beingMade -= 1
      refill()
    } catch (error) {
      beingMade -= 1
      // Who waits longest is told what goes wrong. Without anybody waiting, the next to come will see for itself.
      const first = waiting.shift()
      if (first === undefined) return
      underWay -= 1
      first.reject(error)
      refill()
    }
  }

  const mayBeMade = () => {
    if (waiting.length > 0) return parallel
    return resting || stock.length === 0 ? 1 : 0
  }

  const refill = () => {
    const lacking = () => stock.length + beingMade < target + waiting.length
    while (lacking() && beingMade < mayBeMade()) void make()
    if (lacking() && !resting && !awaitingRest) void awaitRest()
  }

  const awaitRest = async () => {
    awaitingRest = true
    for (let quietMs = 0; quietMs === 0 || (underWay > 0 && quietMs < LONGEST_RELEASE_MS); ) {
      const before = events
      await clock.sleep(REST_MS, undefined, { keepsAlive: false })
      quietMs = events === before ? quietMs + REST_MS : 0
    }
    awaitingRest = false
    resting = true
    refill()
  }

  return {
    async take() {
      events += 1
      underWay += 1
      burst = resting ? 1 : burst + 1
      resting = false
      const ready = stock.shift()
      if (ready !== undefined) {
        refill()
        return ready
      }
      target = Math.max(target, Math.min(burst, most))
      const turn = Promise.withResolvers<WrappingKey>()
      waiting.push(turn)
      refill()
      return await turn.promise
    },
    done() {
      events += 1
      underWay = Math.max(0, underWay - 1)
    },
    fill() {
      resting = true
      refill()
    },
  }
}
