import { expect, it } from 'vitest'
import { readTarget } from './target.ts'

it.each([
  ['GET', '/keys/k', { operation: 'get', name: 'k' }],
  ['GET', '/keys/k/', { operation: 'get', name: 'k' }],
  ['GET', '/keys/k/0123', { operation: 'get', name: 'k', version: '0123' }],
  ['PATCH', '/keys/k/', { operation: 'update', name: 'k' }],
  ['POST', '/keys/k/release', { operation: 'release', name: 'k' }],
  ['POST', '/keys/k//release', { operation: 'release', name: 'k' }],
  ['POST', '/keys/k/0123/release', { operation: 'release', name: 'k', version: '0123' }],
  ['POST', '/keys/k//sign', { operation: 'sign', name: 'k' }],
  ['POST', '/Keys/k/v/WrapKey', { operation: 'wrapKey', name: 'k', version: 'v' }],
  ['GET', '/keys', { operation: 'list' }],
  ['GET', '//keys/k', { operation: 'get', name: 'k' }],
  ['POST', '//keys//restore', { operation: 'restore' }],
  ['GET', '/keys/', { operation: 'list' }],
  ['GET', '/keys/k/versions', { operation: 'listVersions', name: 'k' }],
  ['POST', '/keys/restore', { operation: 'restore' }],
  ['POST', '/keys//restore', { operation: 'restore' }],
  ['PUT', '/keys/restore', { operation: 'import', name: 'restore' }],
  ['GET', '/keys/release/create', { operation: 'get', name: 'release', version: 'create' }],
  ['DELETE', '/deletedkeys/k', { operation: 'purge', name: 'k' }],
  ['POST', '/deletedkeys/k/recover', { operation: 'recover', name: 'k' }],
  ['POST', '/keys/a%21b/create', { operation: 'create', name: 'a!b' }],
])('%s %s is understood', (method, path, target) => {
  expect(readTarget(method, path)).toEqual(target)
})

it.each([
  ['POST', '/keys//create', 'operationNotSpecified'],
  ['DELETE', '/keys/k/0123', { unknownOperation: '0123' }],
  ['POST', '/secrets/s', 'otherThanKeys'],
  ['GET', '/keys/k/v/release', { unknownOperation: 'release' }],
  ['DELETE', '/deletedkeys/k/purge', { unknownOperation: 'purge' }],
  ['GET', '/deletedkeys/k/recover', { unknownOperation: 'recover' }],
  ['POST', '/keys/k/v/sign/more', 'notFound'],
  ['GET', '/keys/%zz', 'badEncoding'],
] as const)('%s %s is refused: %o', (method, path, problem) => {
  expect(readTarget(method, path)).toEqual(problem)
})

it.each([
  ['//providers/Microsoft.Authorization/roleAssignments/g', '/'],
  ['/providers/Microsoft.Authorization/roleAssignments/g', '/'],
  ['/keys/providers/Microsoft.Authorization/roleAssignments/g', '/keys'],
  ['/keys/k/providers/microsoft.authorization/roleassignments/g', '/keys/k'],
])('a role assignment at %s has the scope %s', (path, scope) => {
  expect(readTarget('PUT', path)).toEqual({ operation: 'putRoleAssignment', scope, role: 'g' })
})
