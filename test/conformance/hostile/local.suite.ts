import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { WireEndpoint } from '../../../emulator/src/emulator.ts'
import type { Route } from './routes.ts'
import { expectEveryMemberHolds, expectNothingBreaks, expectTaken, type Suite } from './suite.ts'
import { type Answer, createHostileWorld, type HostileWorld, hasErrorObject, type Sent } from './world.ts'

/*
 * What the plain port answers by itself: the control routes, the token service of App Service, the page for devices.
 */

let world: HostileWorld
let endpoint: WireEndpoint
let folder: string
let suite: Suite
beforeAll(async () => {
  world = await createHostileWorld()
  endpoint = await world.emulator.listen()
  folder = mkdtempSync(join(tmpdir(), 'hostile-'))
  const { credential } = world.emulator
  const headers = { authorization: `Bearer ${credential.controlToken}`, 'content-type': 'application/json' }
  const route = (method: string, path: string, body?: unknown, status = 200): Route => ({
    name: `${method} ${path}`,
    method,
    origin: endpoint.url,
    path: `/.skerry${path}`,
    query: '',
    headers,
    ...(body !== undefined && { body }),
    status,
  })
  const msi: Route = {
    ...route('GET', '/msi/token'),
    query: 'resource=https://vault.azure.net&api-version=2019-08-01',
    headers: { 'x-identity-header': credential.identityHeader() },
  }
  const launched = await send({ method: 'POST', url: `${endpoint.url}/.skerry/psp/guests`, headers, body: '{}' })
  const guest = `/psp/guests/${(JSON.parse(launched!.text) as { id: string }).id}`
  const notJson = join(folder, 'not.json')
  writeFileSync(notJson, '{"format":"skerry-state"}')
  suite = {
    world,
    send,
    // The export of the state holds all that is kept, and neither of these is.
    secrets: [credential.controlToken, credential.identityHeader()],
    manner: {
      // What is no method at all is refused by Node's parser, without a word.
      isRefusal: (json, { status, text, headers }) =>
        hasErrorObject(json) ||
        (status === 400 && text === '' && headers.get('connection') === 'close') ||
        /^\{"statusCode":4\d\d,"message":"/.test(text) ||
        /^text\//.test(headers.get('content-type') ?? ''),
      headers: [],
    },
    routes: [
      route('GET', '/status'),
      route('GET', '/security-context'),
      route('POST', '/psp/guests', { debug: false, vmpl: 0 }, 201),
      route('POST', `${guest}/report`, {}, 200),
      route('POST', `${guest}/key`, {}, 200),
      route('GET', `${guest}/certificates`),
      route('POST', '/psp/guests/00/report', {}, 404),
      route('DELETE', '/psp/guests/00', undefined, 404),
      route('GET', '/psp'),
      route('POST', '/psp/tcb', { tcb: { snp: 30, microcode: 230 }, certificates: 'fresh' }),
      route(
        'PUT',
        '/psp/faults',
        {
          requests: [{ at: 1, kind: 'report', failure: 'busy' }],
          tcbRoll: { at: 9 },
          revoked: ['ask'],
          kds: { every: 3 },
        },
        204,
      ),
      route('GET', '/clock'),
      route('POST', '/clock', { advance: '1s', force: true }, 200),
      route('PUT', '/state', { file: notJson }, 400),
      route('POST', '/device-codes', { code: 'ABCDEFGHI', user: 'ada', decline: false }, 400),
      route('GET', '/device', undefined, 200),
      msi,
      {
        ...msi,
        name: 'msi 2017',
        query: msi.query.replace('2019-08-01', '2017-09-01'),
        headers: { secret: credential.identityHeader() },
      },
    ],
  }
  world.keep()
})
afterAll(async () => {
  await world[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

async function send({ method, url, headers = {}, body }: Sent): Promise<Answer | undefined> {
  let request: Request
  try {
    const carries = body !== undefined && !['GET', 'HEAD'].includes(method.toUpperCase())
    request = new Request(url, { method, headers, redirect: 'manual', ...(carries && { body }) })
  } catch {
    return undefined
  }
  const answer = await fetch(request)
  return { status: answer.status, headers: answer.headers, text: await answer.text() }
}

describe('the plain port', () => {
  it('takes every request that is mutated here, as it stands', () => expectTaken(suite))
  it('holds against every odd value at every member of every body', () => expectEveryMemberHolds(suite))
  it('holds against requests that were mutated at random', () => expectNothingBreaks(suite, 250))

  it.each(['/state', '/status', '/journal', '/clock', '/psp/guests', '/security-context'])(
    'tells nobody %s without the credential',
    async (path) => {
      for (const authorization of [undefined, 'Bearer ', 'Bearer x', 'Basic eDp4', `Bearer ${'x'.repeat(43)}`]) {
        const answer = await send({
          method: 'GET',
          url: `${endpoint.url}/.skerry${path}`,
          ...(authorization !== undefined && { headers: { authorization } }),
        })
        expect(answer!.status).toBe(401)
      }
    },
  )

  it('tells no page of a browser, whatever it knows', async () => {
    const headers = {
      authorization: `Bearer ${world.emulator.credential.controlToken}`,
      origin: 'https://evil.example',
    }
    expect((await send({ method: 'GET', url: `${endpoint.url}/.skerry/state`, headers }))!.status).toBe(403)
  })
})
