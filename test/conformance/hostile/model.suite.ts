import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createVaultWorld, MANAGED_HSM, VAULT, type VaultWorld } from '../../../emulator/src/keyvault/test-vaults.ts'
import { SEED } from './suite.ts'

/*
 * Random lives of keys in one vault, held against a model that fits on a page: whatever was done in whatever order, the
 * vault says of every key what the model says, and its lists hold each exactly once, however long their pages are.
 */

const NAMES = ['a', 'B', 'c-1', 'constructor', 'toString', '0', 'z'.repeat(127)]

interface Version {
  id: string
  readonly enabled: boolean
  readonly tags: Readonly<Record<string, string>> | undefined
}
interface Key {
  /** Oldest first. */
  versions: Version[]
  deleted: boolean
}
interface Model {
  readonly keys: Map<string, Key>
  readonly backups: { readonly name: string; readonly blob: string; readonly versions: Version[] }[]
}
interface Real {
  readonly world: VaultWorld
  readonly origin: string
}

const versionIn = (kid: string) => kid.split('/').at(-1)!
const clone = (versions: readonly Version[]) => versions.map((version) => ({ ...version }))

/** A step: what is asked, and what that does to the model. */
abstract class Step implements fc.AsyncCommand<Model, Real> {
  readonly name: string
  constructor(name: string) {
    this.name = name
  }
  check = () => true
  abstract run(model: Model, real: Real): Promise<void>
  toString = () => `${this.constructor.name} ${this.name.slice(0, 12)}`

  protected async ask({ world, origin }: Real, method: string, path: string, status: number, body?: object) {
    const answer = await world.call(method, `${origin}${path}`, body)
    expect([`${method} ${path}`, answer.status, answer.text]).toEqual([expect.anything(), status, expect.anything()])
    return answer.json
  }
  /** The status of what needs a live key, and of what needs a name that no deleted key has. */
  protected live(model: Model): 200 | 404 {
    return model.keys.get(this.name)?.deleted === false ? 200 : 404
  }
  protected free(model: Model): 200 | 409 {
    return model.keys.get(this.name)?.deleted === true ? 409 : 200
  }
  protected gone(model: Model): 200 | 404 {
    return model.keys.get(this.name)?.deleted === true ? 200 : 404
  }
  protected addVersion(model: Model, kid: string, enabled: boolean, tags: Version['tags']): void {
    const key = model.keys.get(this.name) ?? { versions: [], deleted: false }
    key.versions.push({ id: versionIn(kid), enabled, tags })
    model.keys.set(this.name, key)
  }
}

class Create extends Step {
  readonly enabled: boolean
  readonly tags: Version['tags']
  constructor(name: string, enabled: boolean, tags: Version['tags']) {
    super(name)
    this.enabled = enabled
    this.tags = tags
  }
  async run(model: Model, real: Real) {
    const status = this.free(model)
    const json = await this.ask(real, 'POST', `/keys/${this.name}/create`, status, {
      kty: 'EC-HSM',
      attributes: { enabled: this.enabled },
      ...(this.tags && { tags: this.tags }),
    })
    if (status === 200) this.addVersion(model, json.key.kid, this.enabled, this.tags)
  }
}

const IMPORTED = {
  kty: 'EC-HSM',
  crv: 'P-256',
  // RFC 7515, appendix A.3.1.
  x: 'f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU',
  y: 'x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0',
  d: 'jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI',
}

class Import extends Step {
  async run(model: Model, real: Real) {
    const status = this.free(model)
    const json = await this.ask(real, 'PUT', `/keys/${this.name}`, status, { key: IMPORTED })
    if (status === 200) this.addVersion(model, json.key.kid, true, undefined)
  }
}

class Update extends Step {
  readonly enabled: boolean
  readonly tags: Version['tags']
  readonly which: number
  constructor(name: string, enabled: boolean, tags: Version['tags'], which: number) {
    super(name)
    this.enabled = enabled
    this.tags = tags
    this.which = which
  }
  async run(model: Model, real: Real) {
    const status = this.live(model)
    const versions = model.keys.get(this.name)?.versions ?? []
    const at = versions.length === 0 ? 0 : this.which % versions.length
    const path = status === 200 ? `/keys/${this.name}/${versions[at]!.id}` : `/keys/${this.name}`
    await this.ask(real, 'PATCH', path, status, {
      attributes: { enabled: this.enabled },
      ...(this.tags && { tags: this.tags }),
    })
    if (status === 200)
      versions[at] = { ...versions[at]!, enabled: this.enabled, tags: this.tags ?? versions[at]!.tags }
  }
}

class Delete extends Step {
  async run(model: Model, real: Real) {
    const status = this.live(model)
    await this.ask(real, 'DELETE', `/keys/${this.name}`, status)
    if (status === 200) model.keys.get(this.name)!.deleted = true
  }
}

class Recover extends Step {
  async run(model: Model, real: Real) {
    const status = this.gone(model)
    await this.ask(real, 'POST', `/deletedkeys/${this.name}/recover`, status)
    if (status === 200) model.keys.get(this.name)!.deleted = false
  }
}

class Purge extends Step {
  async run(model: Model, real: Real) {
    const status = this.gone(model)
    await this.ask(real, 'DELETE', `/deletedkeys/${this.name}`, status === 200 ? 204 : 404)
    if (status === 200) model.keys.delete(this.name)
  }
}

class Backup extends Step {
  async run(model: Model, real: Real) {
    const status = this.live(model)
    const json = await this.ask(real, 'POST', `/keys/${this.name}/backup`, status)
    if (status !== 200) return
    model.backups.push({ name: this.name, blob: json.value, versions: clone(model.keys.get(this.name)!.versions) })
  }
}

class Restore extends Step {
  readonly which: number
  constructor(which: number) {
    super('restore')
    this.which = which
  }
  async run(model: Model, real: Real) {
    if (model.backups.length === 0) return
    const { name, blob, versions } = model.backups[this.which % model.backups.length]!
    const status = model.keys.has(name) ? 409 : 200
    await this.ask(real, 'POST', '/keys/restore', status, { value: blob })
    if (status === 200) model.keys.set(name, { versions: clone(versions), deleted: false })
  }
}

/** A managed HSM rotates only what has a policy. */
class Rotate extends Step {
  async run(model: Model, real: Real) {
    const status = this.live(model)
    const policy = {
      lifetimeActions: [{ trigger: { timeAfterCreate: 'P60D' }, action: { type: 'Rotate' } }],
      attributes: {},
    }
    await this.ask(real, 'PUT', `/keys/${this.name}/rotationpolicy`, status, policy)
    const latest = model.keys.get(this.name)?.versions.at(-1)
    const json = await this.ask(real, 'POST', `/keys/${this.name}/rotate`, status)
    if (status === 200) this.addVersion(model, json.key.kid, json.attributes.enabled, latest?.tags)
  }
}

class Look extends Step {
  async run(model: Model, real: Real) {
    const live = await this.ask(real, 'GET', `/keys/${this.name}`, this.live(model))
    await this.ask(real, 'GET', `/deletedkeys/${this.name}`, this.gone(model))
    if (this.live(model) === 404) return
    const latest = model.keys.get(this.name)!.versions.at(-1)!
    expect([versionIn(live.key.kid), live.attributes.enabled, live.tags]).toEqual([
      latest.id,
      latest.enabled,
      latest.tags,
    ])
  }
}

const name = fc.constantFrom(...NAMES)
const tags = fc.option(
  fc.dictionary(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }), { maxKeys: 3, noNullPrototype: true }),
  { nil: undefined },
)
const steps = fc.commands<Model, Real, false>(
  [
    fc.tuple(name, fc.boolean(), tags).map((all) => new Create(...all)),
    fc.tuple(name, fc.boolean(), tags).map((all) => new Create(...all)),
    name.map((one) => new Import(one)),
    fc.tuple(name, fc.boolean(), tags, fc.nat(9)).map((all) => new Update(...all)),
    name.map((one) => new Delete(one)),
    name.map((one) => new Recover(one)),
    name.map((one) => new Purge(one)),
    name.map((one) => new Backup(one)),
    fc.nat(9).map((which) => new Restore(which)),
    name.map((one) => new Rotate(one)),
    name.map((one) => new Look(one)),
  ],
  { maxCommands: 30, size: '+1' },
)

/** All items of a list, page by page. */
async function pages(
  { world, origin }: Real,
  path: string,
  size: number,
): Promise<{ kid: string; tags?: object; attributes: { enabled: boolean } }[]> {
  const items = []
  let next: string | undefined = `${origin}${path}?maxresults=${size}`
  while (next) {
    const { json } = await world.call('GET', next)
    expect(json.value.length).toBeLessThanOrEqual(size)
    items.push(...json.value)
    next = json.nextLink
  }
  return items
}

async function expectListed(model: Model, real: Real, size: number): Promise<void> {
  const named = (deleted: boolean) =>
    [...model.keys]
      .filter(([, key]) => key.deleted === deleted)
      .map(([key]) => key)
      .toSorted()
  const names = (items: readonly { kid: string }[]) => items.map(({ kid }) => kid.split('/').at(-1)!).toSorted()
  expect(names(await pages(real, '/keys', size))).toEqual(named(false))
  expect(names(await pages(real, '/deletedkeys', size))).toEqual(named(true))
  for (const [key, { versions, deleted }] of model.keys) {
    const found = (await pages(real, `/keys/${key}/versions`, size)).map(({ kid, attributes, tags }) => ({
      id: versionIn(kid),
      enabled: attributes.enabled,
      tags,
    }))
    const byId = (a: { id: string }, b: { id: string }) => (a.id < b.id ? -1 : 1)
    expect(found.toSorted(byId)).toEqual(deleted ? [] : versions.toSorted(byId))
  }
}

describe.each([
  ['a vault', VAULT],
  ['a managed HSM', MANAGED_HSM],
])('the keys of %s', (_, origin) => {
  it('are what a model of them says, whatever was done in whatever order', async () => {
    const property = fc.asyncProperty(steps, fc.integer({ min: 1, max: 25 }), async (commands, size) => {
      const model: Model = { keys: new Map(), backups: [] }
      const real: Real = { world: createVaultWorld(), origin }
      await fc.asyncModelRun(() => ({ model, real }), commands)
      await expectListed(model, real, size)
    })
    await fc.assert(property, { seed: SEED, numRuns: 10 })
  })
})
