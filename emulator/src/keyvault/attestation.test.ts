import { X509Certificate } from 'node:crypto'
import { beforeEach, expect, it } from 'vitest'
import { createVaultWorld, MANAGED_HSM, VAULT, type VaultWorld } from './test-vaults.ts'

let world: VaultWorld
beforeEach(() => {
  world = createVaultWorld()
})
const textOf = (base64url: string) => Buffer.from(base64url, 'base64url').toString('utf8')

it.each([VAULT, MANAGED_HSM])('the attestation of a key is marked as not real in every part: %s', async (origin) => {
  const { json: made } = await world.call('POST', `${origin}/keys/k/create?api-version=7.6`, { kty: 'RSA-HSM' })
  for (const path of ['/keys/k/attestation', '/keys/k//attestation', `${new URL(made.key.kid).pathname}/attestation`]) {
    const { status, json } = await world.call('GET', `${origin}${path}?api-version=7.6`)
    expect(status).toBe(200)
    const { attestation, ...attributes } = json.attributes
    expect({ ...json, attributes }).toEqual(made)
    expect(Object.keys(attestation).toSorted()).toEqual([
      'certificatePemFile',
      'privateKeyAttestation',
      'publicKeyAttestation',
      'version',
    ])
    for (const part of ['privateKeyAttestation', 'publicKeyAttestation']) {
      expect(textOf(attestation[part])).toMatch(/^Not an attestation: Skerry emulates https:/)
    }
    expect(new X509Certificate(textOf(attestation.certificatePemFile)).subject).toMatch('Skerry')
    expect(attestation.version).toBe('0.0-skerry')
  }
})

it('a symmetric key has no public part to attest', async () => {
  await world.call('POST', `${MANAGED_HSM}/keys/k/create`, { kty: 'oct-HSM' })
  const { json } = await world.call('GET', `${MANAGED_HSM}/keys/k/attestation?api-version=2026-04-01`)
  expect(Object.keys(json.attributes.attestation)).toEqual(['certificatePemFile', 'privateKeyAttestation', 'version'])
})

it('a software key has no attestation, and an ordinary answer never does', async () => {
  await world.call('POST', `${VAULT}/keys/soft/create`, { kty: 'EC' })
  await world.call('POST', `${VAULT}/keys/hard/create`, { kty: 'EC-HSM' })
  const soft = await world.call('GET', `${VAULT}/keys/soft/attestation?api-version=7.6`)
  expect(soft.json).toEqual((await world.call('GET', `${VAULT}/keys/soft?api-version=7.6`)).json)
  const plain = await world.call('GET', `${VAULT}/keys/hard?api-version=7.6`)
  expect(plain.json.attributes).not.toHaveProperty('attestation')
})

it('the attestation of a key that is not there is not found', async () => {
  expect((await world.call('GET', `${VAULT}/keys/none/attestation?api-version=7.6`)).json.error.code).toBe(
    'KeyNotFound',
  )
})

it.each([VAULT, MANAGED_HSM])('secure wrap and unwrap are said to be missing: %s', async (origin) => {
  await world.call('POST', `${origin}/keys/k/create`, { kty: 'RSA-HSM' })
  for (const operation of ['securewrapkey', 'secureunwrapkey']) {
    const url = `${origin}/keys/k//${operation}?api-version=2026-04-01`
    const answer = await world.call('POST', url, { alg: 'RSA-OAEP-256', value: 'AAAA', target: 'x' })
    expect([answer.status, answer.json.error.code]).toEqual([501, 'SkerryOperationNotCovered'])
  }
})
