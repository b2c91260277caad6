import { SeedError } from './error.ts'
import type { SeedDocument } from './schema.ts'

type Path = readonly (string | number)[]

/** What one member says about another: names that are there twice, or not at all. @throws SeedError */
export function checkReferences(document: SeedDocument): void {
  const { applications = [], users = [], managedIdentities = [], vaults = [], managedHsms = [], keys = [] } = document
  requireUnique([
    ['admin', ['admin']],
    ...applications.map(({ name }, at): [string, Path] => [name, ['applications', at, 'name']]),
    ...users.map(({ userPrincipalName }, at): [string, Path] => [
      userPrincipalName,
      ['users', at, 'userPrincipalName'],
    ]),
    ...managedIdentities.map(({ name }, at): [string, Path] => [name, ['managedIdentities', at, 'name']]),
  ])
  requireUnique(vaults.map(({ name }, at) => [name, ['vaults', at, 'name']]))
  requireUnique(managedHsms.map(({ name }, at) => [name, ['managedHsms', at, 'name']]))
  requireUnique(
    keys.map(({ vault, managedHsm, name }, at) => [`${vault ?? ''} ${managedHsm ?? ''} ${name}`, ['keys', at, 'name']]),
  )
  for (const [at, { accessPolicies = [], enableRbacAuthorization }] of vaults.entries()) {
    if (enableRbacAuthorization === true && accessPolicies.length > 0) {
      throw new SeedError(['vaults', at, 'accessPolicies'], 'wanted none where enableRbacAuthorization is true')
    }
  }
  for (const [at, key] of keys.entries()) checkKey(key, ['keys', at])
}

function checkKey(key: NonNullable<SeedDocument['keys']>[number], path: Path): void {
  if ((key.vault === undefined) === (key.managedHsm === undefined)) {
    throw new SeedError(path, 'wanted either vault or managedHsm')
  }
  if (key.importFrom === undefined && key.kty === undefined) throw new SeedError([...path, 'kty'], 'wanted this member')
  if (key.importFrom !== undefined) {
    for (const member of ['kty', 'keySize', 'curve'] as const) {
      if (key[member] !== undefined) throw new SeedError([...path, member], 'the imported key itself says it')
    }
  } else if (key.hsm !== undefined) {
    throw new SeedError([...path, 'hsm'], 'is for an imported key: wanted a kty that ends in -HSM')
  }
  if (key.immutable !== undefined && key.releasePolicy === undefined) {
    throw new SeedError([...path, 'immutable'], 'wanted a releasePolicy beside it')
  }
}

function requireUnique(names: readonly (readonly [name: string, path: Path])[]): void {
  const seen = new Set<string>()
  for (const [name, path] of names) {
    if (seen.has(name.toLowerCase())) throw new SeedError(path, 'wanted a name that is not there already')
    seen.add(name.toLowerCase())
  }
}
