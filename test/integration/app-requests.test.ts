import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Answer, type AppWorld, request, startAppWorld } from '../support/app-world.ts'
import { type DeploymentBody, exampleBody, groupOf } from '../support/example.ts'

// What the app refuses before anything is started: over real HTTP, on the embedded host.

let world: AppWorld
beforeAll(async () => {
  world = await startAppWorld({ vaults: [{ name: 'skerry-demo', resourceGroup: 'rg' }] })
})
afterAll(() => world[Symbol.asyncDispose]())

const CANARY = 'do-not-repeat-this'

describe('every route of the app', () => {
  const routes = () =>
    world.host.functions.flatMap(({ name, bindings }) =>
      Object.values(bindings)
        .filter(({ type }) => type === 'httpTrigger')
        .map((binding) => binding as unknown as { route: string; methods: string[]; authLevel: string })
        .map(({ route, methods, authLevel }) => ({ name, route, method: methods[0]!, authLevel })),
    )

  it('demands a function key', async () => {
    expect(routes().map(({ name }) => name)).toHaveLength(8)
    for (const { route, method, authLevel } of routes()) {
      expect(authLevel).toBe('function')
      const url = new URL(`/api/${route.replaceAll(/\{\w+\}/g, 'x')}`, world.host.url)
      expect((await fetch(url, { method })).status, `${method} ${route}`).toBe(401)
      expect((await request(url, 'wrong', method)).status).toBe(401)
      expect((await request(url, world.host.functionKey, method)).status).not.toBe(401)
    }
  })
})

/** What was sent, what is said of it, and where. */
type Refusal = [what: string, change: (body: DeploymentBody) => unknown, code: string, pointer: string]
const GROUP = '/template/resources/0'
const CCE_POLICY = `${GROUP}/properties/confidentialComputeProperties/ccePolicy`

describe('a body that cannot be deployed is answered with a problem that points at the fault', () => {
  const refusals: Refusal[] = [
    ['an unknown field', (body) => Object.assign(body, { colour: CANARY }), 'ERR_UNKNOWN_FIELD', '/colour'],
    [
      'an unknown field of the import configuration',
      ({ importKeyConfig }) => Object.assign(importKeyConfig.key, { colour: CANARY }),
      'ERR_IMPORT_KEY_CONFIG',
      '/importKeyConfig/key/colour',
    ],
    [
      'no policy',
      ({ template }) => Object.assign(groupOf(template).properties, { confidentialComputeProperties: {} }),
      'ERR_TEMPLATE_POLICY',
      CCE_POLICY,
    ],
    [
      'a policy that is not base64',
      ({ template }) => {
        groupOf(template).properties.confidentialComputeProperties.ccePolicy = `${CANARY}!`
      },
      'ERR_TEMPLATE_POLICY',
      CCE_POLICY,
    ],
    [
      'a kty that is not supported',
      ({ importKeyConfig }) => Object.assign(importKeyConfig.key, { kty: CANARY }),
      'ERR_UNSUPPORTED_KTY',
      '/importKeyConfig/key/kty',
    ],
    [
      'an oct key for a vault, which has none',
      ({ importKeyConfig }) => Object.assign(importKeyConfig.key, { kty: 'oct-HSM' }),
      'ERR_UNSUPPORTED_KTY',
      '/importKeyConfig/key/kty',
    ],
    [
      'another vault than the template asks',
      ({ importKeyConfig }) => Object.assign(importKeyConfig.key.akv, { endpoint: 'other.vault.azure.net' }),
      'ERR_MISMATCH',
      '/importKeyConfig/key/akv/endpoint',
    ],
    [
      'a bearer token',
      ({ importKeyConfig }) => Object.assign(importKeyConfig.key.akv, { bearer_token: CANARY }),
      'ERR_SECRET_IN_REQUEST',
      '/importKeyConfig/key/akv/bearer_token',
    ],
    [
      'a registry password',
      ({ template }) =>
        Object.assign(groupOf(template).properties, { imageRegistryCredentials: [{ server: 's', password: CANARY }] }),
      'ERR_SECRET_IN_REQUEST',
      `${GROUP}/properties/imageRegistryCredentials/0/password`,
    ],
    [
      'a secure variable',
      ({ template }) =>
        groupOf(template).properties.containers[0]!.properties.environmentVariables.unshift({
          name: 'x',
          secureValue: CANARY,
        }),
      'ERR_SECRET_IN_REQUEST',
      `${GROUP}/properties/containers/0/properties/environmentVariables/0/secureValue`,
    ],
  ]

  it.each(refusals)('%s', async (_what, change, code, pointer) => {
    const body = exampleBody({ name: 'refused' })
    change(body)
    const answer = await world.call('POST', '/api/deployments', body)
    expectProblem(answer, 400, code)
    expect(answer.body.errors).toContainEqual(expect.objectContaining({ code, pointer }))
    expect(answer.text).not.toContain(CANARY)
    expect(await started()).toEqual([])
  })

  it('every fault at once', async () => {
    const body: Record<string, unknown> = { ...exampleBody({ name: 'Refused' }), colour: 'red' }
    delete body.location
    const answer = await world.call('POST', '/api/deployments', body)
    const pointers = (answer.body.errors as { pointer: string }[]).map(({ pointer }) => pointer).toSorted()
    expect(pointers).toEqual(['/colour', '/location', '/name'])
  })
})

describe('what is no JSON request is answered with one line', () => {
  it('malformed JSON: where, and not what', async () => {
    const answer = await world.call('POST', '/api/deployments', `{\n  "name": ${CANARY}\n}`)
    expectProblem(answer, 400, 'ERR_JSON')
    expect(answer.body.detail).toBe('The body is not JSON: line 2 column 11 does not fit.')
    expect(answer.text).not.toContain(CANARY)
  })

  it('another content type', async () => {
    const response = await fetch(new URL('/api/keys', world.host.url), {
      method: 'POST',
      headers: { 'x-functions-key': world.host.functionKey, 'content-type': 'text/plain' },
      body: '{}',
    })
    expect(response.status).toBe(415)
    expect(await response.json()).toMatchObject({ code: 'ERR_CONTENT_TYPE' })
  })

  it('a body of more than a megabyte', async () => {
    const answer = await world.call('POST', '/api/deployments', { padding: 'x'.repeat(1_100_000) })
    expectProblem(answer, 413, 'ERR_TOO_LARGE')
  })

  it('a body without a floor', async () => {
    const answer = await world.call('POST', '/api/deployments', `${'['.repeat(500_000)}${']'.repeat(500_000)}`)
    expectProblem(answer, 400, 'ERR_TOO_DEEP')
  })

  it('a list, a text, nothing', async () => {
    for (const body of ['[]', '"text"', 'null']) {
      expectProblem(await world.call('POST', '/api/deployments', body), 400)
    }
    expectProblem(await world.call('POST', '/api/deployments', ''), 400, 'ERR_JSON')
  })
})

describe('what is not there is answered with 404', () => {
  it.each([
    ['GET', '/api/deployments/none'],
    ['POST', '/api/deployments/none/upgrade'],
    ['POST', '/api/deployments/none/rotate'],
    ['DELETE', '/api/deployments/none'],
    ['GET', '/api/keys/skerry-demo.vault.azure.net/none'],
  ] as const)('%s %s', async (method, path) => {
    expectProblem(await world.call(method, path), 404, 'ERR_NOT_FOUND')
  })
})

function expectProblem({ status, headers, body }: Answer, wanted: number, code?: string): void {
  expect(status).toBe(wanted)
  expect(headers.get('content-type')).toBe('application/problem+json')
  expect(body).toMatchObject({ status: wanted, type: expect.stringMatching(/^urn:skerry:problem:/) })
  expect(body.title).toEqual(expect.any(String))
  expect(String(body.detail)).not.toContain('\n')
  if (code !== undefined) expect(body.code).toBe(code)
}

/** Names of orchestrations that were ever started. */
async function started(): Promise<string[]> {
  await world.host.idle()
  return world.host.durable.hub.instances({}).map(({ name }) => name)
}
