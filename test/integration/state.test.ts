import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ClientSecretCredential, type TokenCredential } from '@azure/identity'
import { KeyClient } from '@azure/keyvault-keys'
import { createEmulator, type SeedDocument } from '@skerry/emulator'
import { type SkerryHandlers, skerryHandlers } from '@skerry/emulator/msw'
import { createAttestationContext, releaseKey, trustStoreOf } from '@skerry/guest'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, describe, expect, it } from 'vitest'
import { TEST_CACHE_DIRECTORY as cacheDir } from '../../emulator/src/core/test-context.ts'
import { writeStateFile } from '../../emulator/src/state/write.ts'

/*
 * The whole state of an emulator as one file, and its clock, as the official client sees them.
 */

const MAA = 'sharedweu.weu.attest.azure.net'
const VAULT = 'contoso.vault.azure.net'
const DAY = 86_400_000
const policy = {
  version: '1.0.0',
  anyOf: [{ authority: `https://${MAA}`, allOf: [{ claim: 'x-ms-compliance-status', equals: 'azure-compliant-uvm' }] }],
}
const seedDocument: SeedDocument = {
  vaults: [{ name: 'contoso', resourceGroup: 'tests' }],
  keys: [
    { vault: 'contoso', name: 'released', kty: 'EC-HSM', releasePolicy: policy },
    { vault: 'contoso', name: 'gone', kty: 'EC' },
  ],
}

const folder = mkdtempSync(join(tmpdir(), 'skerry-state-'))
const open: AsyncDisposable[] = []
afterEach(async () => {
  for (const each of open.splice(0)) await each[Symbol.asyncDispose]()
})
afterAll(() => rmSync(folder, { recursive: true }))

/** An emulator in this process, with a client of the vault. */
function world(options: Parameters<typeof skerryHandlers>[0]) {
  const azure = skerryHandlers({ cacheDir, ...options })
  const server = setupServer(...azure.handlers)
  server.listen({ onUnhandledFrame: 'error' })
  open.push({ [Symbol.asyncDispose]: () => azure.close() }, { [Symbol.asyncDispose]: async () => server.close() })
  return { azure, credential: credentialOf(azure), keys: new KeyClient(`https://${VAULT}`, credentialOf(azure)) }
}

const credentialOf = ({ seed: { tenantId, admin } }: SkerryHandlers) =>
  new ClientSecretCredential(tenantId, admin.clientId, admin.clientSecret)

/** Lets a container's code have the key: its private part, and the version it got. */
async function release(azure: SkerryHandlers, credential: TokenCredential) {
  const { context } = await azure.emulator()
  return await releaseKey(await createAttestationContext(await azure.guest()), {
    maaEndpoint: MAA,
    akvEndpoint: VAULT,
    kid: 'released',
    credential,
    trust: trustStoreOf([context.authority.rootPem]),
  })
}

/** What an emulator in memory with that seed holds. */
async function stateOf(document: SeedDocument) {
  await using emulator = await createEmulator({ cacheDir, seedDocument: document })
  return await emulator.exportState()
}

describe('a state, exported and given to a new emulator', () => {
  it('is the same tenant, with the same keys: what was released is released again, what was deleted can come back', async () => {
    const one = world({ seedDocument })
    const before = await release(one.azure, one.credential)
    const backup = await one.keys.backupKey('released')
    const deleted = await (await one.keys.beginDeleteKey('gone')).pollUntilDone()
    await one.azure.advance(10 * DAY)
    const file = join(folder, 'state.json.gz')
    writeStateFile(file, await (await one.azure.emulator()).exportState())
    expect(statSync(file).mode & 0o777).toBe(0o600)
    for (const each of open.splice(0)) await each[Symbol.asyncDispose]()

    const two = world({ stateFile: file })
    expect(two.azure.seed).toEqual(one.azure.seed)
    const after = await release(two.azure, two.credential)
    expect({ kid: after.kid, d: after.jwk.d }).toEqual({ kid: before.kid, d: before.jwk.d })
    const { properties } = await two.keys.getDeletedKey('gone')
    expect(properties.scheduledPurgeDate).toEqual(deleted.properties.scheduledPurgeDate)
    const ahead = (await two.azure.emulator()).context.clock.now() - Date.now()
    expect(Math.round(ahead / DAY)).toBe(10)
    await two.azure.advance(80 * DAY)
    const later = new KeyClient(`https://${VAULT}`, credentialOf(two.azure))
    await expect(later.getDeletedKey('gone')).rejects.toMatchObject({ statusCode: 404 })
    // The key that a backup is sealed with came along.
    await (await later.beginDeleteKey('released')).pollUntilDone()
    await later.purgeDeletedKey('released')
    expect((await later.restoreKeyBackup(backup!)).id).toBe(before.kid)
  })

  it('holds a token of before for what it is', async () => {
    const one = world({ seedDocument })
    const token = await one.credential.getToken('https://vault.azure.net/.default')
    const state = await (await one.azure.emulator()).exportState()
    await one.azure.close()
    const two = world({ state })
    const url = `https://${VAULT}/keys?api-version=7.4`
    const ask = () => fetch(url, { headers: { authorization: `Bearer ${token.token}` } }).then(({ status }) => status)
    expect(await ask()).toBe(200)
    await two.azure.advance(2 * 3_600_000)
    expect(await ask()).toBe(401)
  })
})

describe('ninety days', () => {
  it('purge what was deleted, end keys and tokens, and rotate what is to be rotated', async () => {
    const { azure, keys } = world({
      seedDocument: {
        vaults: [{ name: 'contoso', resourceGroup: 'tests' }],
        keys: [
          { vault: 'contoso', name: 'gone', kty: 'EC' },
          { vault: 'contoso', name: 'ends', kty: 'RSA', expires: new Date(Date.now() + 30 * DAY).toISOString() },
          {
            vault: 'contoso',
            name: 'turns',
            kty: 'EC',
            rotationPolicy: { lifetimeActions: [{ action: 'Rotate', timeAfterCreate: 'P30D' }], expiryTime: 'P90D' },
          },
        ],
      },
    })
    await (await keys.beginDeleteKey('gone')).pollUntilDone()
    const started = (await azure.emulator()).context.clock.now()
    await azure.advance(91 * DAY)
    // Its token is over, and the client, whose own clock stood still, does not know.
    await expect(keys.getKey('turns')).rejects.toMatchObject({ statusCode: 401 })

    const later = new KeyClient(`https://${VAULT}`, credentialOf(azure))
    await expect(later.getDeletedKey('gone')).rejects.toMatchObject({ statusCode: 404 })
    const { key } = await later.getKey('ends')
    const { token } = await credentialOf(azure).getToken('https://vault.azure.net/.default')
    const encrypted = await fetch(`${key!.kid}/encrypt?api-version=7.4`, {
      method: 'POST',
      headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
      body: JSON.stringify({ alg: 'RSA-OAEP-256', value: 'AAAA' }),
    })
    expect(encrypted.status).toBe(403)
    const ages: number[] = []
    for await (const { createdOn } of later.listPropertiesOfKeyVersions('turns')) {
      ages.push(Math.abs(Math.round((createdOn!.getTime() - started) / DAY)))
    }
    expect(ages.sort((a, b) => a - b)).toEqual([0, 30, 60, 90])
  })
})

describe('years', () => {
  it('leave attestation and release as they are: certificates and lists are made for the time it is', async () => {
    const { azure, credential } = world({ seedDocument })
    const before = await release(azure, credential)
    for (const years of [1, 5]) {
      await azure.advance(years * 365 * DAY)
      const { kid } = await release(azure, credentialOf(azure))
      expect(kid).toBe(before.kid)
    }
  })
})

describe('a data directory', () => {
  it('that another state was imported into signs what it releases with a certificate that fits', async () => {
    const dataDir = join(folder, 'signs')
    const fixture = await stateOf({ ...seedDocument, tenantId: '6f8d1a4e-3b52-4c0e-9d1b-7a5e2c90f104' })
    const one = world({ dataDir, seedDocument })
    const before = await release(one.azure, one.credential)
    const { seed } = fixture
    await (await one.azure.emulator()).importState(fixture)
    const credential = new ClientSecretCredential(seed.tenantId, seed.admin.clientId, seed.admin.clientSecret)
    const imported = await release(one.azure, credential)
    expect(imported.kid).not.toBe(before.kid)
    for (const each of open.splice(0)) await each[Symbol.asyncDispose]()
    const two = world({ dataDir })
    expect(await release(two.azure, credential)).toMatchObject({ kid: imported.kid })
  })

  it('stays ahead of the machine after a restart, and starts from a state only while it holds none', async () => {
    const dataDir = join(folder, 'ahead')
    const options = { dataDir, cacheDir }
    await using first = await createEmulator({ ...options, seedDocument })
    await first.advance(30 * DAY)
    const state = await first.exportState()
    const { seed } = first.context
    await first.close()
    await using second = await createEmulator(options)
    expect(Math.round((second.context.clock.now() - Date.now()) / DAY)).toBe(30)
    await second.close()
    await expect(createEmulator({ ...options, state })).rejects.toMatchObject({ code: 'ERR_STATE_EXISTS' })
    const copy = join(folder, 'copy')
    await using third = await createEmulator({ ...options, dataDir: copy, state })
    expect(third.context.seed).toEqual(seed)
    expect((await third.exportState()).files).toEqual(state.files)
    expect(JSON.parse(readFileSync(join(copy, 'seed.json'), 'utf8'))).toEqual(seed)
  })
})
