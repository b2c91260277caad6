import { ClientSecretCredential } from '@azure/identity'
import { KeyClient } from '@azure/keyvault-keys'
import { createEmulator, type Emulator, seedResources } from '@skerry/emulator'
import { expect, it } from 'vitest'
import { TEST_CACHE_DIRECTORY } from '../../emulator/src/core/test-context.ts'
import { startTestWebhook } from '../../emulator/src/events/test-webhook.ts'
import { sdkHttpClient } from '../support/sdk-http-client.ts'
import { temporaryFolder } from '../support/skerry.ts'

// The official client sets a rotation policy, months pass in an emulator with a data directory, and a webhook hears of
// what they bring; across an end and a start of the emulator.

const DAY = 86_400_000

/** With a token of its own: those from before the clock was moved have expired, of which a client's own clock knows nothing. */
function clientOf({ dispatcher, context }: Emulator): KeyClient {
  const { tenantId, admin } = context.seed
  const httpClient = sdkHttpClient((request) => dispatcher.dispatch(request, { door: 'process' }))
  const credential = new ClientSecretCredential(tenantId, admin.clientId, admin.clientSecret, { httpClient })
  return new KeyClient('https://contoso.vault.azure.net', credential, { httpClient })
}

async function versionsOf(client: KeyClient): Promise<{ createdOn: Date; expiresOn: Date | undefined }[]> {
  const versions: { createdOn: Date; expiresOn: Date | undefined }[] = []
  for await (const { createdOn, expiresOn } of client.listPropertiesOfKeyVersions('k')) {
    versions.push({ createdOn: createdOn!, expiresOn })
  }
  return versions.sort((a, b) => a.createdOn.getTime() - b.createdOn.getTime())
}

it('a key is rotated by its policy as months pass, and the webhook is told, whatever ends and starts in between', async () => {
  using folder = temporaryFolder()
  await using webhook = await startTestWebhook()
  const options = {
    dataDir: folder.path,
    cacheDir: TEST_CACHE_DIRECTORY,
    settings: { eventWebhook: webhook.url },
  }
  const types = () => webhook.notifications().map(({ eventType }) => eventType.replace('Microsoft.KeyVault.', ''))
  {
    await using emulator = await createEmulator(options)
    seedResources(emulator.context, { vaults: [{ name: 'contoso', resourceGroup: 'tests' }] })
    const client = clientOf(emulator)
    await client.createRsaKey('k', { keySize: 2048 })
    const policy = await client.updateKeyRotationPolicy('k', {
      lifetimeActions: [{ action: 'Rotate', timeAfterCreate: 'P30D' }],
      expiresIn: 'P90D',
    })
    expect(policy.lifetimeActions).toEqual([
      { action: 'Rotate', timeAfterCreate: 'P30D', timeBeforeExpiry: undefined },
      { action: 'Notify', timeAfterCreate: undefined, timeBeforeExpiry: 'P30D' },
    ])
    await emulator.advance(65 * DAY)
    const versions = await versionsOf(clientOf(emulator))
    expect(versions).toHaveLength(3)
    const [first, second, third] = versions.map(({ createdOn }) => createdOn.getTime())
    expect([second! - first!, third! - second!]).toEqual([30 * DAY, 30 * DAY])
    expect(versions[2]!.expiresOn!.getTime() - third!).toBe(90 * DAY)
    await emulator.events.settled()
    expect(types()).toEqual(['KeyNewVersionCreated', 'KeyNewVersionCreated', 'KeyNewVersionCreated'])
    expect(emulator.events.list().map(({ id }) => id)).toEqual(webhook.notifications().map(({ id }) => id))
    // What the webhook does not take before the end comes after the next start.
    webhook.answer = () => 500
    await clientOf(emulator).rotateKey('k')
    await emulator.events.settled()
  }
  webhook.answer = ({ headers, body }) =>
    headers['aeg-event-type'] === 'SubscriptionValidation' ? { validationResponse: body[0]!.data.validationCode } : 200
  const told = types().length
  await using again = await createEmulator(options)
  await again.advance(60_000)
  await again.events.settled()
  expect(types().slice(told)).toEqual(['KeyNewVersionCreated'])
  expect(webhook.notifications().at(-1)!.id).toBe(webhook.notifications().at(-2)!.id)
  await again.advance(31 * DAY)
  expect(await versionsOf(clientOf(again))).toHaveLength(5)
})
