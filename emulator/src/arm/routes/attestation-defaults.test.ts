import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { sharedProviderHosts } from '../../maa/index.ts'
import { type ArmWorld, createArmWorld } from '../test-world.ts'

const V = 'api-version=2020-10-01'
let arm: ArmWorld
let base: string

beforeEach(() => {
  arm = createArmWorld()
  base = `/subscriptions/${arm.subscription}/providers/Microsoft.Attestation`
})

afterEach(async () => {
  await arm[Symbol.asyncDispose]()
})

describe('the default attestation provider', () => {
  it.each(['westeurope', 'WestEurope', 'West%20Europe'])('of %s is the shared one of the region', async (location) => {
    const answer = await arm.send('GET', `${base}/Locations/${location}/defaultProvider?${V}`)
    expect(await answer.json()).toEqual({
      id: '/providers/Microsoft.Attestation/attestationProviders/sharedweu',
      location: 'westeurope',
      name: 'sharedweu',
      properties: { attestUri: 'https://sharedweu.weu.attest.azure.net', status: 'Ready', trustModel: 'AAD' },
      type: 'Microsoft.Attestation/attestationProviders',
    })
  })

  it('is listed for every region, under names that attestation answers to', async () => {
    const { value } = (await (await arm.send('GET', `${base}/defaultProviders?${V}`)).json()) as {
      value: { properties: { attestUri: string } }[]
    }
    expect(value.length).toBeGreaterThan(10)
    const hosts = value.map(({ properties }) => new URL(properties.attestUri).host)
    expect(sharedProviderHosts()).toEqual(expect.arrayContaining(hosts))
  })

  it.each(['nowhere', '__proto__', 'constructor', '%25'])('is not found in %s', async (location) => {
    const answer = await arm.send('GET', `${base}/locations/${location}/defaultProvider?${V}`)
    expect(answer.status).toBe(404)
  })

  it('is told to nobody without a role', async () => {
    const path = `${base}/locations/westeurope/defaultProvider?${V}`
    const authorization = `Bearer ${await arm.token(arm.principal('nobody'))}`
    expect((await arm.send('GET', path, undefined, { authorization })).status).toBe(403)
  })
})
