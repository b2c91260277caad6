import { createPrivateKey, generateKeyPairSync } from 'node:crypto'

/** What a client knows of one key name from the answers it got. */
export interface KeyModel {
  readonly life: 'absent' | 'live' | 'deleted'
  /** Oldest first. */
  readonly versions: readonly KnownVersion[]
  /** Of the rotation policy. */
  readonly expiryTime?: string
}

export interface KnownVersion {
  readonly id: string
  /** The public point's x coordinate, base64url. */
  readonly x: string
  readonly tags: Readonly<Record<string, string>>
}

/** A version that a request may have made, whose answer never came. */
export const UNKNOWN: KnownVersion = { id: '?', x: '?', tags: {} }

export const ABSENT: KeyModel = { life: 'absent', versions: [] }

export interface Step {
  readonly name: string
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below the vault, the key's name in place of `NAME`. */
  readonly path: string
  readonly body?: object
  /** What holds once it was answered with 2xx; without an answer (the process was killed) either this holds or what was before. */
  after(answer: StepAnswer | undefined): KeyModel
}

export interface StepAnswer {
  readonly key: { readonly kid: string; readonly x: string }
  readonly tags?: Readonly<Record<string, string>>
}

export interface Backup {
  readonly value: string
  readonly model: KeyModel
}

/** A step that is allowed now; `dice` gives numbers from 0 up to 1. */
export function nextStep(model: KeyModel, backup: Backup | undefined, dice: () => number): Step {
  const pick = <T>(items: readonly T[]): T => items[Math.floor(dice() * items.length)]!
  if (model.life === 'absent') {
    return backup !== undefined && dice() < 0.8 ? restore(backup) : pick([create, importKey])(ABSENT)
  }
  if (model.life === 'deleted') return pick([recover, purge])(model)
  const steps = [create, importKey, update, update, putPolicy, rotate, rotate, remove]
  // A managed HSM wants a policy before it rotates, and 100 versions are its limit.
  return pick(model.expiryTime === undefined ? [create, update, putPolicy, putPolicy] : steps)(model)
}

const versionOf = (answer: StepAnswer | undefined): KnownVersion =>
  answer === undefined ? UNKNOWN : { id: answer.key.kid.split('/').at(-1)!, x: answer.key.x, tags: answer.tags ?? {} }

const withVersion = (model: KeyModel, answer: StepAnswer | undefined): KeyModel => ({
  ...model,
  life: 'live',
  versions: [...model.versions, versionOf(answer)],
})

const create = (model: KeyModel): Step => ({
  name: 'create',
  method: 'POST',
  path: 'keys/NAME/create',
  body: { kty: 'EC' },
  after: (answer) => withVersion(model, answer),
})

const importKey = (model: KeyModel): Step => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwk = createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })).export({ format: 'jwk' })
  return {
    name: 'import',
    method: 'PUT',
    path: 'keys/NAME',
    body: { key: jwk },
    after: (answer) => withVersion(model, answer),
  }
}

const rotate = (model: KeyModel): Step => ({
  name: 'rotate',
  method: 'POST',
  path: 'keys/NAME/rotate',
  after(answer) {
    const version = versionOf(answer)
    // Without an answer the tags are known all the same: those of the version before.
    const tags = model.versions.at(-1)?.tags ?? {}
    return { ...model, versions: [...model.versions, { ...version, tags }] }
  },
})

let written = 0
const update = (model: KeyModel): Step => {
  written += 1
  const tags = { written: `${written}` }
  const latest = model.versions.at(-1)!
  return {
    name: 'update',
    method: 'PATCH',
    path: `keys/NAME/${latest.id}`,
    body: { tags },
    after: () => ({ ...model, versions: [...model.versions.slice(0, -1), { ...latest, tags }] }),
  }
}

const putPolicy = (model: KeyModel): Step => {
  written += 1
  const expiryTime = `P${28 + (written % 300)}D`
  return {
    name: 'putRotationPolicy',
    method: 'PUT',
    path: 'keys/NAME/rotationpolicy',
    body: { attributes: { expiryTime } },
    after: () => ({ ...model, expiryTime }),
  }
}

const remove = (model: KeyModel): Step => ({
  name: 'delete',
  method: 'DELETE',
  path: 'keys/NAME',
  after: () => ({ ...model, life: 'deleted' }),
})

const recover = (model: KeyModel): Step => ({
  name: 'recover',
  method: 'POST',
  path: 'deletedkeys/NAME/recover',
  after: () => ({ ...model, life: 'live' }),
})

const purge = (_model: KeyModel): Step => ({
  name: 'purge',
  method: 'DELETE',
  path: 'deletedkeys/NAME',
  after: () => ABSENT,
})

const restore = ({ value, model }: Backup): Step => ({
  name: 'restore',
  method: 'POST',
  path: 'keys/restore',
  body: { value },
  after: () => model,
})
