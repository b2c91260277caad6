import { type ContainerGroups, catalogueOf, createContainerGroups } from '../aci/index.ts'
import { createTestRunner, type TestRunner } from '../aci/test-runner.ts'
import { type Clock, type MovableClock, systemClock } from '../core/index.ts'
import { createTestContext, type TestWorld } from '../core/test-context.ts'
import { createEntraService, createTokenVerifier, ensureServicePrincipal } from '../entra/index.ts'
import { createKeyVaultService } from '../keyvault/index.ts'
import { createProcessor } from '../psp/index.ts'
import { type Authorizer, createAuthorizer } from '../rbac/index.ts'
import type { ErrorBody } from './error.ts'
import { createArmService } from './service.ts'

/*
 * For tests: Resource Manager with Entra and container groups, in memory; containers are real processes without a
 * device. `test.azurecr.io/app` is the image there is.
 */

export interface Credential {
  readonly clientId: string
  readonly clientSecret: string
}

export interface ArmWorld extends AsyncDisposable {
  readonly world: TestWorld
  readonly groups: ContainerGroups
  readonly runner: TestRunner
  readonly authorizer: Authorizer
  readonly subscription: string
  /** A token for Resource Manager (or for `audience`): of the seeded administrator, or of one made by `principal`. */
  token(of?: Credential, audience?: string): Promise<string>
  /** An application that may do nothing yet. */
  principal(name: string): Credential & { readonly objectId: string }
  /** Sends a request as the administrator, or with the token that `headers` bring. */
  send(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>
  /** Sends a request to the data plane of a vault or managed HSM (7.4), as the administrator or as `of`. */
  data(method: string, url: string, body?: unknown, of?: Credential): Promise<Response>
}

const node = (script: string) => ({ command: [process.execPath, '-e', script] as const })
const images = catalogueOf([
  {
    repository: 'test.azurecr.io/app',
    programs: {
      '/sleep': node('console.log("one"); console.log("two"); setInterval(() => {}, 1000)'),
      '/end': node(''),
      '/fail': node('process.exit(3)'),
    },
  },
])

export function createArmWorld(clock: MovableClock & Clock = systemClock()): ArmWorld {
  const world = createTestContext({ clock })
  const { ctx } = world
  const runner = createTestRunner({ networkNamespace: true })
  const groups = createContainerGroups(ctx, {
    psp: createProcessor(ctx),
    runner,
    images,
    clientEnvironment: { caFile: '/ca.pem', proxyUrl: () => '', hostNames: () => [], accept: () => undefined },
  })
  const authorizer = createAuthorizer(ctx)
  const tokens = createTokenVerifier(ctx)
  world.use(createEntraService(ctx))
  world.use(createKeyVaultService(ctx, { tokens, authorizer }))
  world.use(
    createArmService(ctx, {
      tokens,
      authorizer,
      containerGroups: groups,
    }),
  )
  const token = async (of: Credential = ctx.seed.admin, audience = 'https://management.azure.com') => {
    const answer = await world.fetch(
      new Request(`https://login.microsoftonline.com/${ctx.seed.tenantId}/oauth2/v2.0/token`, {
        method: 'POST',
        body: new URLSearchParams({
          grant_type: 'client_credentials',
          client_id: of.clientId,
          client_secret: of.clientSecret,
          scope: `${audience}/.default`,
        }),
      }),
    )
    return ((await answer.json()) as { access_token: string }).access_token
  }
  return {
    world,
    groups,
    runner,
    authorizer,
    subscription: ctx.seed.subscriptionId,
    token,
    principal(name) {
      const clientSecret = ctx.random.bytes(20).toString('base64url')
      const { clientId, objectId } = ensureServicePrincipal(ctx, {
        displayName: name,
        kind: 'application',
        clientSecret,
      })
      return { clientId, clientSecret, objectId }
    },
    async send(method, path, body, headers = {}) {
      const authorization = headers.authorization ?? `Bearer ${await token()}`
      const text = typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body)
      const request = new Request(`https://management.azure.com${path}`, {
        method,
        headers: { ...headers, ...(authorization !== '' && { authorization }) },
        ...(text !== undefined && { body: text }),
      })
      return await world.fetch(request)
    },
    async data(method, url, body, of) {
      const audience = url.includes('.managedhsm.') ? 'https://managedhsm.azure.net' : 'https://vault.azure.net'
      const request = new Request(`${url}${url.includes('?') ? '&' : '?'}api-version=7.4`, {
        method,
        headers: { authorization: `Bearer ${await token(of, audience)}`, 'content-type': 'application/json' },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      return await world.fetch(request)
    },
    async [Symbol.asyncDispose]() {
      await groups.close()
    },
  }
}

const POLICY = Buffer.from('package policy\n').toString('base64')

/** Status and error of an answer. */
export async function errorOf(pending: Response | Promise<Response>): Promise<{ status: number } & ErrorBody> {
  const answer = await pending
  const { error } = (await answer.json()) as { error: ErrorBody }
  return { status: answer.status, ...error }
}

/** Body of a PUT of a small confidential container group. */
export const groupBody = (more: object = {}, variables: object[] = []) => ({
  location: 'westeurope',
  ...more,
  properties: {
    sku: 'Confidential',
    osType: 'Linux',
    restartPolicy: 'Never',
    confidentialComputeProperties: { ccePolicy: POLICY },
    containers: [
      {
        name: 'app',
        properties: {
          image: 'test.azurecr.io/app',
          command: ['/sleep'],
          environmentVariables: variables,
          resources: { requests: { cpu: 1, memoryInGB: 1 } },
        },
      },
    ],
  },
})
