import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createHostileWorld, GRAPH, type HostileWorld, LOGIN, MANAGED_HSM, type Sent, VAULT } from './world.ts'

/*
 * What strangers send leaves nothing behind: memory is the same after thousands of requests as it was after hundreds.
 */

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

let world: HostileWorld
beforeAll(async () => {
  world = await createHostileWorld()
  // As full as it ever is: from here on a record comes for each that goes.
  const { journal } = world.emulator.context
  const record = { service: 'entra', operation: 'token', outcome: 'denied', summary: 's'.repeat(500) } as const
  for (let written = 0; written < 10_000; written++) journal.write(record)
})
afterAll(() => world[Symbol.asyncDispose]())

/** In use when so many of these were answered; each is made when it is sent, and not held on to here. */
async function memoryAfter(count: number, request: () => Sent | Promise<Sent>): Promise<number> {
  for (let sent = 0; sent < count; sent++) await world.send(await request())
  collect()
  await new Promise((resolve) => setImmediate(resolve))
  collect()
  return process.memoryUsage().heapUsed
}

const MIB = 2 ** 20
const form = { 'content-type': 'application/x-www-form-urlencoded' }

/** Names that nobody asked for before. */
let at = 0
const fresh = () => {
  at += 1
  return `n${at}`
}

describe('memory is not kept', () => {
  it.each<[string, () => Sent]>([
    [
      'tokens that are none',
      () => ({
        method: 'GET',
        url: `${VAULT}/keys?api-version=7.4`,
        headers: {
          authorization: `Bearer e30.${Buffer.from(JSON.stringify({ iss: fresh() })).toString('base64url')}.AA`,
        },
      }),
    ],
    [
      'vaults that are not there',
      () => ({ method: 'GET', url: `https://${fresh()}.vault.azure.net/keys?api-version=7.4` }),
    ],
    ['hosts that are not emulated', () => ({ method: 'GET', url: `https://${fresh()}.example/` })],
    [
      'clients that are not there',
      () => ({
        method: 'POST',
        url: `${LOGIN}/common/oauth2/v2.0/token`,
        headers: form,
        body: `grant_type=client_credentials&client_id=${fresh()}&client_secret=x&scope=a/.default`,
      }),
    ],
    [
      'tenants that are not there',
      () => ({ method: 'GET', url: `${LOGIN}/${fresh()}/v2.0/.well-known/openid-configuration` }),
    ],
    [
      'assertions of issuers that nobody knows',
      () => ({
        method: 'POST',
        url: `${LOGIN}/common/oauth2/v2.0/token`,
        headers: form,
        body: `grant_type=client_credentials&client_id=${fresh()}&client_assertion=eyJhbGciOiJSUzI1NiJ9.e30.AA&client_assertion_type=urn:ietf:params:oauth:client-assertion-type:jwt-bearer&scope=a/.default`,
      }),
    ],
    [
      'devices that nobody signs in at',
      () => ({
        method: 'POST',
        url: `${LOGIN}/common/oauth2/v2.0/devicecode`,
        headers: form,
        body: `client_id=${fresh()}&scope=x/.default`,
      }),
    ],
    ['directories that nobody may read', () => ({ method: 'GET', url: `${GRAPH}/v1.0/users/${fresh()}` })],
  ])('for %s', async (_, request) => {
    const before = await memoryAfter(300, request)
    const after = await memoryAfter(1000, request)
    expect((after - before) / 1000).toBeLessThan(1024)
  })

  it.each<[string, (junk: string) => Promise<Sent>]>([
    [
      'the name of a client',
      async (junk) => ({
        method: 'POST',
        url: `${LOGIN}/common/oauth2/v2.0/token`,
        headers: form,
        body: `grant_type=x&client_id=${junk}`,
      }),
    ],
    [
      'the type of a grant',
      async (junk) => ({
        method: 'POST',
        url: `${LOGIN}/common/oauth2/v2.0/token`,
        headers: form,
        body: `grant_type=${junk}&client_id=x`,
      }),
    ],
    [
      'an algorithm',
      async (junk) => ({
        method: 'POST',
        url: `${VAULT}/keys/k/sign?api-version=7.4`,
        headers: await world.authorization('https://vault.azure.net'),
        body: JSON.stringify({ alg: junk, value: 'AA' }),
      }),
    ],
    [
      'a curve',
      async (junk) => ({
        method: 'POST',
        url: `${VAULT}/keys/k/create?api-version=7.4`,
        headers: await world.authorization('https://vault.azure.net'),
        body: JSON.stringify({ kty: 'EC', crv: junk }),
      }),
    ],
    [
      'operations of a key',
      async (junk) => ({
        method: 'POST',
        url: `${MANAGED_HSM}/keys/k/create?api-version=7.4`,
        headers: await world.authorization('https://managedhsm.azure.net'),
        body: JSON.stringify({ kty: 'EC', key_ops: [junk] }),
      }),
    ],
    [
      'a body that is no JSON',
      async (junk) => ({
        method: 'POST',
        url: `${VAULT}/keys/k/create?api-version=7.4`,
        headers: await world.authorization('https://vault.azure.net'),
        body: junk,
      }),
    ],
  ])('for a megabyte in place of %s', async (_, request) => {
    const junk = () => request(fresh().padEnd(MIB, 'x'))
    const before = await memoryAfter(2, junk)
    const after = await memoryAfter(8, junk)
    expect(after - before).toBeLessThan(4 * MIB)
  })
})
