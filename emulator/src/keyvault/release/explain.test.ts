import { beforeEach, expect, it } from 'vitest'
import { explanation } from '../../cli/explanation.ts'
import { AUTHORITY, createVaultWorld, GOOD_CLAIMS, VAULT, type VaultWorld } from '../test-vaults.ts'

/** What `skerry explain` says after a release that was refused: all that is wrong, and what to do about each. */

let world: VaultWorld
beforeEach(() => {
  world = createVaultWorld()
})

async function explain(policy: object, claims: object, header: object = {}): Promise<string> {
  const data = Buffer.from(JSON.stringify({ version: '1.0.0', anyOf: [policy] })).toString('base64url')
  const key = { kty: 'EC-HSM', attributes: { exportable: true }, release_policy: { data } }
  await world.call('POST', `${VAULT}/keys/k/create`, key)
  const target = await world.issuer.sign({ ...claims }, { ...header })
  const answer = await world.call('POST', `${VAULT}/keys/k/release`, { target })
  expect(answer.status).toBe(403)
  return explanation(world.ctx.journal.records())
}

const CLAIMS = Object.entries(GOOD_CLAIMS).map(([claim, equals]) => ({ claim, equals: String(equals) }))

it('names each claim that was wanted otherwise, and the ones that were as wanted', async () => {
  const said = await explain(
    { authority: AUTHORITY, allOf: CLAIMS },
    { 'x-ms-sevsnpvm-is-debuggable': true, 'x-ms-sevsnpvm-vmpl': 2 },
  )
  expect(said).toMatch(
    /^keyvault denied release of https:\/\/skerry\.vault\.azure\.net\/keys\/k\/[0-9a-f]{32} +\(answered 403 AccessDenied\)/,
  )
  expect(said).toMatch(/✗ x-ms-sevsnpvm-is-debuggable\n +wanted +false\n +found +true\n +do +The guest was launched/)
  expect(said).toMatch(/✗ x-ms-sevsnpvm-vmpl\n +wanted +0\n +found +2\n/)
  expect(said).toMatch(/✓ x-ms-compliance-status +azure-compliant-uvm/)
  expect(said).toMatch(/✓ token\.signature +valid/)
})

it('names a token that is old, a claim that is missing and a wrapping key that is unfit in one go', async () => {
  const said = await explain(
    { authority: AUTHORITY, allOf: CLAIMS },
    { exp: 1, 'x-ms-compliance-status': undefined, 'x-ms-runtime': { keys: [{ kty: 'EC', kid: 'guest' }] } },
  )
  expect(said).toContain('The release was refused: token.exp did not hold.')
  expect(said).toMatch(/✗ x-ms-compliance-status\n +wanted +azure-compliant-uvm\n +found +null/)
  expect(said).toMatch(/✗ x-ms-runtime\.keys\n[^✗]+"problem":"is not an RSA key"/)
})

it('holds no claim of a forged token against the policy: nobody stands for them', async () => {
  const said = await explain({ authority: AUTHORITY, allOf: CLAIMS }, { exp: 1 }, { kid: 'another' })
  expect(said).toMatch(/✗ token\.kid\n +wanted +one of the issuer's keys\n +found +another/)
  expect(said).toContain('✗ token.exp')
  expect(said).not.toContain('x-ms-sevsnpvm')
})

it('names the other authority that the policy wants', async () => {
  const said = await explain({ authority: 'https://other.weu.attest.azure.net', allOf: CLAIMS }, {})
  expect(said).toMatch(/✗ iss\n +wanted +https:\/\/other\.weu\.attest\.azure\.net\n +found +https:\/\/skerry\.weu/)
})
