import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SettingsError } from '../core/index.ts'
import { createVaultWorld, MANAGED_HSM, VAULT, type VaultWorld } from '../keyvault/test-vaults.ts'
import { type Events, eventsOf } from './index.ts'
import { giveCodeBack, startTestWebhook, type TestWebhook } from './test-webhook.ts'
import { webhookUrl } from './webhook-url.ts'

const SECOND = 1000
const DAY = 86_400 * SECOND

let webhook: TestWebhook
let world: VaultWorld
let events: Events
beforeEach(async () => {
  webhook = await startTestWebhook()
  world = createVaultWorld({ settings: { eventWebhook: webhook.url } })
  events = eventsOf(world.ctx)
})
afterEach(async () => {
  events[Symbol.dispose]()
  await webhook[Symbol.asyncDispose]()
})

const settle = async (ms = 0) => {
  await world.clock.advance(ms)
  await events.settled()
}
const create = async (name: string, url = VAULT) => {
  const { json, status } = await world.call('POST', `${url}/keys/${name}/create`, { kty: 'EC' })
  expect(status).toBe(200)
  return json.key.kid as string
}
const seen = () => webhook.notifications().map(({ data }) => data.Id)
const journaled = () => world.ctx.journal.records().filter(({ service }) => service === 'eventgrid')

describe('a webhook', () => {
  it('is asked first whether it wants events, and given them as Event Grid does', async () => {
    await settle()
    const [asked] = webhook.requests
    expect(asked).toMatchObject({ method: 'POST', path: '/events?code=secret-of-the-hook' })
    expect(asked!.headers).toMatchObject({
      'aeg-event-type': 'SubscriptionValidation',
      'aeg-subscription-name': 'SKERRY',
      'content-type': 'application/json; charset=utf-8',
    })
    expect(asked!.body).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        topic: `/subscriptions/${world.ctx.seed.subscriptionId}`,
        subject: '',
        data: { validationCode: expect.any(String), validationUrl: expect.stringContaining('.eventgrid.azure.net/') },
        eventType: 'Microsoft.EventGrid.SubscriptionValidationEvent',
        dataVersion: '1',
        metadataVersion: '1',
        eventTime: '2026-01-01T00:00:00.0000000Z',
      },
    ])

    const kid = await create('k')
    await events.settled()
    const [, told, ...more] = webhook.requests
    expect(more).toEqual([])
    expect(told!.headers).toMatchObject({
      'aeg-event-type': 'Notification',
      'aeg-subscription-name': 'SKERRY',
      'aeg-delivery-count': '0',
      'aeg-data-version': '1',
      'aeg-metadata-version': '1',
    })
    expect(told!.body).toEqual([
      {
        id: expect.stringMatching(/^[0-9a-f-]{36}$/),
        topic: `/subscriptions/${world.ctx.seed.subscriptionId}/resourceGroups/rg/providers/Microsoft.KeyVault/vaults/skerry`,
        subject: 'k',
        eventType: 'Microsoft.KeyVault.KeyNewVersionCreated',
        data: {
          Id: kid,
          VaultName: 'skerry',
          ObjectType: 'Key',
          ObjectName: 'k',
          Version: kid.split('/').at(-1),
          NBF: null,
          EXP: null,
        },
        dataVersion: '1',
        metadataVersion: '1',
        eventTime: '2026-01-01T00:00:00.0000000Z',
      },
    ])
  })

  it('gets nothing before it has said that it wants it, and then all that happened meanwhile', async () => {
    webhook.answer = () => ({ validationResponse: 'something else' })
    await settle()
    const kids = [await create('a'), await create('b')]
    webhook.answer = () => 500
    await settle(5 * 60 * SECOND)
    expect(seen()).toEqual([])
    expect(journaled()).toEqual([
      expect.objectContaining({ operation: 'validate', outcome: 'failed', action: expect.stringContaining('200') }),
    ])
    webhook.answer = giveCodeBack
    await settle(60 * SECOND)
    expect(seen()).toEqual(kids)
    expect(journaled().at(-1)).toMatchObject({ operation: 'validate', outcome: 'done' })
  })

  it('may say so by the validation URL, within five minutes', async () => {
    webhook.answer = () => 200
    await settle()
    const kid = await create('k')
    world.use(events.service)
    const url = webhook.requests[0]!.body[0]!.data.validationUrl as string
    expect((await world.fetch(`${url}x`)).status).toBe(400)
    expect((await world.fetch(url)).status).toBe(200)
    await events.settled()
    expect(seen()).toEqual([kid])
    expect((await world.fetch(url)).status).toBe(400)
  })

  it('is asked again when nobody used the validation URL, which is void then', async () => {
    webhook.answer = () => 200
    await settle()
    await settle(5 * 60 * SECOND)
    expect(webhook.requests).toHaveLength(2)
    world.use(events.service)
    const [old, fresh] = webhook.requests.map(({ body }) => body[0]!.data.validationUrl as string)
    expect((await world.fetch(old!)).status).toBe(400)
    expect((await world.fetch(fresh!)).status).toBe(200)
  })

  it('that fails is tried again on the clock of the emulator, with the same event', async () => {
    await settle()
    webhook.answer = () => 503
    const kid = await create('k')
    await events.settled()
    await settle(29 * SECOND)
    expect(seen()).toEqual([kid])
    await settle(SECOND)
    await settle(30 * SECOND)
    webhook.answer = giveCodeBack
    await settle(60 * SECOND)
    expect(seen()).toEqual([kid, kid, kid, kid])
    expect(new Set(webhook.notifications().map(({ id }) => id)).size).toBe(1)
    expect(webhook.requests.slice(1).map(({ headers }) => headers['aeg-delivery-count'])).toEqual(['0', '1', '2', '3'])
    await settle(DAY)
    expect(seen()).toHaveLength(4)
    expect(journaled().filter(({ operation }) => operation === 'deliver')).toHaveLength(1)
  })

  it('gets the events of one key in their order, while those of another do not wait for them', async () => {
    await settle()
    webhook.answer = ({ body }) => (body[0]!.subject === 'slow' ? 500 : 200)
    const slow = [await create('slow'), await create('slow'), await create('slow')]
    const quick = await create('quick')
    await events.settled()
    expect(seen()).toEqual([slow[0], quick])
    webhook.answer = giveCodeBack
    await settle(10 * SECOND)
    expect(seen()).toEqual([slow[0], quick, ...slow])
  })

  it('that will not have an event does not get it again, nor one that fails for a day', async () => {
    await settle()
    webhook.answer = () => 400
    await create('refused')
    await events.settled()
    webhook.answer = () => 500
    await create('lost')
    for (let hours = 0; hours < 26; hours += 1) await settle(3600 * SECOND)
    const before = seen().length
    webhook.answer = giveCodeBack
    await settle(2 * DAY)
    expect(seen()).toHaveLength(before)
    expect(
      journaled()
        .filter(({ summary }) => summary.includes('was dropped'))
        .map(({ summary }) => summary),
    ).toEqual([
      expect.stringContaining('refused was dropped: the answer was 400'),
      expect.stringContaining('lost was dropped: it was not delivered within a day'),
    ])
    expect(world.ctx.store.collection('events.outbox').entries()).toEqual([])
  })

  it('is not followed to another place', async () => {
    await settle()
    webhook.answer = () => 307
    await create('k')
    await events.settled()
    webhook.answer = giveCodeBack
    await settle(10 * SECOND)
    expect(seen()).toHaveLength(2)
  })

  it('loses nothing by an end of the emulator: what was not taken is sent again after the next start', async () => {
    await settle()
    let taken = () => {}
    const received = new Promise<void>((done) => {
      taken = done
    })
    webhook.answer = () => {
      taken()
      return new Promise(() => {})
    }
    const kid = await create('k')
    await received
    events[Symbol.dispose]()
    await events.settled()
    webhook.answer = giveCodeBack
    events = eventsOf({ ...world.ctx })
    await settle()
    expect(seen()).toEqual([kid, kid])
    const [first, second] = webhook.notifications()
    expect(second).toEqual(first)
  })

  it('never keeps a client waiting', async () => {
    await settle()
    webhook.answer = () => new Promise(() => {})
    for (let index = 0; index < 12; index += 1) await create(`k${index}`)
    expect(events.list()).toHaveLength(12)
  })

  it('has a secret in its URL that the journal does not show', async () => {
    webhook.answer = () => 500
    await settle()
    expect(JSON.stringify(world.ctx.journal.records())).not.toContain('secret-of-the-hook')
    expect(journaled()[0]!.subject).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/events$/)
  })

  it.each([
    'no url: s3cret',
    'http://example.com/s3cret',
    'ftp://127.0.0.1/s3cret',
    'https://s3cret:word@example.com/',
  ])('cannot be at %s', (url) => {
    const error = (() => {
      try {
        return webhookUrl(url)
      } catch (thrown) {
        return thrown
      }
    })()
    expect(error).toBeInstanceOf(SettingsError)
    expect(error).toMatchObject({ code: 'ERR_SETTINGS', setting: 'eventWebhook' })
    expect((error as Error).message).not.toContain('s3cret')
  })

  it.each(['https://hooks.example/a?b=c', 'http://localhost:7071/api/events', 'http://[::1]:8080/'])(
    'can be at %s',
    (url) => {
      expect(webhookUrl(url).href).toBe(url)
    },
  )
})

it('a managed HSM has no events', async () => {
  await settle()
  await create('k', MANAGED_HSM)
  await events.settled()
  expect(webhook.notifications()).toEqual([])
  expect(events.list()).toEqual([])
})
