import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { DEFAULT_SEED } from '../../../emulator/src/seed/default-document.ts'
import { bodyOf, type Route, sentOf } from './routes.ts'
import { expectEveryMemberHolds, expectNothingBreaks, expectTaken, type Suite } from './suite.ts'
import { createHostileWorld, GRAPH, type HostileWorld, hasErrorObject, hasErrorText, LOGIN } from './world.ts'

/*
 * Where tokens come from (Entra, the instance metadata service), and the directory: whatever is sent, there is an answer
 * of theirs.
 */

const PASSWORD = 'the-password-of-ada'
const SECRET = 'the-secret-of-the-application'
const CLIENT = '5f8c1a52-1111-4222-8333-444455556666'
const CLI = '04b07795-8ddb-461a-bbee-02f9e1bf7b46'
const VERIFIER = 'v'.repeat(43)

let world: HostileWorld
let suite: Suite
beforeAll(async () => {
  world = await createHostileWorld({
    ...DEFAULT_SEED,
    users: [{ userPrincipalName: 'ada@skerry.example', password: PASSWORD }],
    applications: [
      {
        name: 'hostile',
        clientId: CLIENT,
        secret: SECRET,
        federatedCredentials: [{ name: 'fff', issuer: 'https://issuer.example', subject: 's' }],
      },
    ],
  })
  const { tenantId } = world.emulator.context.seed
  const form = { 'content-type': 'application/x-www-form-urlencoded' }
  const scope = 'https://vault.azure.net/.default'
  const offline = `${scope} openid offline_access`
  const post = (name: string, path: string, fields: Record<string, string>, status = 200): Route => ({
    name,
    method: 'POST',
    origin: LOGIN,
    path,
    query: '',
    headers: form,
    form: fields,
    status,
  })
  const get = (name: string, path: string, query = '', status = 200): Route => ({
    name,
    method: 'GET',
    origin: LOGIN,
    path,
    query,
    headers: {},
    status,
  })
  const token = `/${tenantId}/oauth2/v2.0/token`
  const users = '/organizations/oauth2/v2.0/token'
  const password = { grant_type: 'password', client_id: CLI, username: 'ada@skerry.example', password: PASSWORD }
  const signedIn = await answerOf(post('password', users, { ...password, scope: offline }))
  const device = await answerOf(post('device', '/organizations/oauth2/v2.0/devicecode', { client_id: CLI, scope }))
  const challenge = createHash('sha256').update(VERIFIER).digest('base64url')
  const authorize = new URLSearchParams({
    client_id: CLI,
    response_type: 'code',
    redirect_uri: 'http://localhost:8400/back',
    scope: offline,
    state: 's',
    nonce: 'n',
    code_challenge: challenge,
    code_challenge_method: 'S256',
  }).toString()
  const signIn = { action: 'approve', user: 'ada@skerry.example', password: PASSWORD }
  const assertion = {
    grant_type: 'client_credentials',
    client_id: CLIENT,
    scope,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: 'eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJpc3MiOiJodHRwczovL2lzc3Vlci5leGFtcGxlIn0.AAAA',
  }
  const credentials = { grant_type: 'client_credentials', client_id: CLIENT, client_secret: SECRET }
  const imds = (name: string, path: string, query: string): Route => ({
    ...get(name, path, query),
    origin: 'http://169.254.169.254',
    headers: { metadata: 'true' },
  })
  const bearer = await world.authorization(GRAPH)
  const graph = (name: string, path: string, query = ''): Route => ({
    ...get(name, path, query),
    origin: GRAPH,
    headers: bearer,
  })
  const routes: Route[] = [
    post('client credentials', token, { ...credentials, scope }),
    post('client credentials v1', `/${tenantId}/oauth2/token`, { ...credentials, resource: 'https://vault.azure.net' }),
    post('client assertion', token, assertion, 400),
    post('password', users, { ...password, scope }),
    post('refresh', users, {
      grant_type: 'refresh_token',
      client_id: CLI,
      scope,
      refresh_token: signedIn.refresh_token!,
    }),
    post(
      'code',
      users,
      {
        grant_type: 'authorization_code',
        client_id: CLI,
        code: '1.x',
        redirect_uri: 'http://localhost:8400/back',
        code_verifier: VERIFIER,
      },
      400,
    ),
    post('device code', '/organizations/oauth2/v2.0/devicecode', { client_id: CLI, scope: offline }),
    post('device code v1', '/organizations/oauth2/devicecode', { client_id: CLI, resource: 'https://vault.azure.net' }),
    post(
      'device grant',
      users,
      { grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: CLI, device_code: device.device_code! },
      400,
    ),
    get('device page', '/common/oauth2/deviceauth', `code=${device.user_code}`),
    post('device form', '/common/oauth2/deviceauth', { ...signIn, code: device.user_code! }),
    get('authorize page', '/organizations/oauth2/v2.0/authorize', authorize),
    { ...post('authorize form', '/organizations/oauth2/v2.0/authorize', signIn, 302), query: authorize },
    get(
      'discovery',
      '/common/discovery/instance',
      `api-version=1.1&authorization_endpoint=${LOGIN}/${tenantId}/oauth2/v2.0/authorize`,
    ),
    get('metadata', `/${tenantId}/v2.0/.well-known/openid-configuration`),
    get('metadata v1', `/${tenantId}/.well-known/openid-configuration`),
    get('keys', `/${tenantId}/discovery/v2.0/keys`),
    get('realm', '/common/userrealm/ada@skerry.example', 'api-version=1.0'),
    imds('identity', '/metadata/identity/oauth2/token', 'api-version=2018-02-01&resource=https://vault.azure.net'),
    imds('certification', '/metadata/THIM/amd/certification', ''),
    imds('instance', '/metadata/instance', 'api-version=2021-02-01'),
    graph('users', '/v1.0/users', "$filter=userPrincipalName eq 'ada@skerry.example'"),
    graph('user', '/v1.0/users/ada@skerry.example'),
    graph('service principals', '/v1.0/servicePrincipals', `$filter=appId eq '${CLIENT}'`),
    graph('applications', '/v1.0/applications', "$filter=startswith(displayName,'h')"),
    graph('groups', '/v1.0/groups'),
    { ...graph('by ids', '/v1.0/directoryObjects/getByIds'), method: 'POST', body: { ids: [CLIENT], types: ['user'] } },
  ]
  const { admin } = world.emulator.context.seed
  suite = {
    world,
    routes,
    manner: {
      // Entra's objects, Graph's, those of the metadata service; and pages for people.
      isRefusal: (json, { headers, text }) =>
        hasErrorText(json) ||
        hasErrorObject(json) ||
        /^\{"error":"[A-Z]/.test(text) ||
        (/^text\/html/.test(headers.get('content-type') ?? '') && text.startsWith('<!')),
      headers: [],
    },
    secrets: [PASSWORD, SECRET, admin.clientSecret, signedIn.refresh_token!],
  }
  world.keep()

  async function answerOf(route: Route): Promise<Record<string, string>> {
    const answer = await world.send(sentOf(route, { body: bodyOf(route)! }))
    return JSON.parse(answer!.text) as Record<string, string>
  }
})
afterAll(() => world[Symbol.asyncDispose]())

describe('sign-in, metadata and directory', () => {
  it('take every request that is mutated here, as it stands', () => expectTaken(suite))
  it('hold against every odd value at every member of every body', () => expectEveryMemberHolds(suite))
  it('hold against requests that were mutated at random', () => expectNothingBreaks(suite, 250))
  it('have written no secret to the journal', () => {
    const journal = JSON.stringify(world.emulator.context.journal.records())
    expect(suite.secrets.filter((secret) => journal.includes(secret))).toEqual([])
  })
})
