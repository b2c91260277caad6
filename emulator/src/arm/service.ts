import { Hono } from 'hono'
import type { ContainerGroups } from '../aci/index.ts'
import type { EmulatorContext, Service } from '../core/index.ts'
import type { TokenVerifier } from '../entra/index.ts'
import type { Authorizer } from '../rbac/index.ts'
import { authenticate } from './access.ts'
import { parseAddress } from './address.ts'
import { roleAssignments } from './authorization/role-assignments.ts'
import { roleDefinitions } from './authorization/role-definitions.ts'
import { authorizationRoutes } from './authorization/routes.ts'
import type { ArmContext, ArmVariables } from './context.ts'
import { deploymentRoutes } from './deployments/routes.ts'
import { openDeployments } from './deployments/state.ts'
import { ArmError, armErrors, asArmError, notCovered } from './error.ts'
import { openResourceGroups } from './groups.ts'
import { type KeyVaultProvider, keyVaultProvider } from './keyvault/provider.ts'
import { keyVaultRoutes } from './keyvault/routes.ts'
import { openOperations } from './operations.ts'
import { attestationProviders } from './providers/attestation.ts'
import { containerGroupType } from './providers/container-groups.ts'
import { federatedIdentityCredentials } from './providers/federated-credentials.ts'
import { userAssignedIdentities } from './providers/identities.ts'
import { attestationDefaultRoutes } from './routes/attestation-defaults.ts'
import { containerGroupRoutes } from './routes/container-groups.ts'
import { federatedCredentialRoutes } from './routes/federated-credentials.ts'
import { groupRoutes } from './routes/groups.ts'
import { resourceRoutes } from './routes/resources.ts'
import { subscriptionRoutes } from './routes/subscriptions.ts'
import { seedSubscription } from './seed.ts'
import { subscriptionsOf } from './subscriptions.ts'

export interface ArmOptions {
  readonly tokens: TokenVerifier
  readonly authorizer: Authorizer
  readonly containerGroups: ContainerGroups
}

/** Azure Resource Manager: management.azure.com. The seeded subscription exists from here on. */
export function createArmService(ctx: EmulatorContext, options: ArmOptions): Service {
  seedSubscription(ctx)
  const keyVault = keyVaultProvider(ctx)
  const arm: ArmContext = {
    ctx,
    ...options,
    groups: openResourceGroups(ctx),
    operations: openOperations(ctx),
    deployments: openDeployments(ctx),
    roleAssignments: roleAssignments(ctx, options.authorizer),
    types: [
      containerGroupType(ctx, options.containerGroups, options.authorizer),
      userAssignedIdentities(ctx),
      keyVault.vaults,
      keyVault.managedHsms,
      attestationProviders(ctx),
    ],
  }
  const app = armApp(arm, keyVault)
  return { name: 'arm', hosts: ['management.azure.com'], handle: (request) => app.fetch(request) }
}

function armApp(arm: ArmContext, keyVault: KeyVaultProvider): Hono<ArmVariables> {
  const { ctx } = arm
  const app = new Hono<ArmVariables>({ getPath: (request) => routePath(new URL(request.url).pathname) })
  const subscriptions = subscriptionsOf(ctx)

  app.use('*', async (c, next) => {
    const requestId = ctx.random.uuid()
    const commonHeaders: Record<string, string> = {
      'cache-control': 'no-cache',
      pragma: 'no-cache',
      expires: '-1',
      'x-ms-request-id': requestId,
      'x-ms-correlation-request-id': c.req.header('x-ms-correlation-request-id') ?? requestId,
      'x-ms-routing-request-id': `SKERRY:${new Date(ctx.clock.now()).toISOString()}:${requestId}`,
      'strict-transport-security': 'max-age=31536000; includeSubDomains',
      'x-content-type-options': 'nosniff',
    }
    const clientRequestId = c.req.header('x-ms-client-request-id')
    if (clientRequestId !== undefined && c.req.header('x-ms-return-client-request-id')?.toLowerCase() === 'true') {
      commonHeaders['x-ms-client-request-id'] = clientRequestId
    }
    for (const [name, value] of Object.entries(commonHeaders)) c.header(name, value)
    const address = parseAddress(new URL(c.req.url).pathname)
    c.set('address', address)
    c.set('caller', await authenticate(ctx, arm.tokens, c.req.raw))
    c.set('apiVersion', apiVersionOf(new URL(c.req.url)))
    const { subscriptionId } = address
    if (subscriptionId !== undefined && !subscriptions.has(subscriptionId.toLowerCase())) {
      throw armErrors.subscriptionNotFound(subscriptionId)
    }
    if (address.namespace?.toLowerCase() === 'microsoft.keyvault')
      c.header('x-ms-keyvault-service-version', '1.5.166.0')
    await next()
  })

  const definitions = roleDefinitions(ctx, arm.authorizer)
  authorizationRoutes(app, arm, definitions)
  subscriptionRoutes(app, arm)
  groupRoutes(app, arm)
  const { accessPolicies, vaultKeys, managedHsmKeys } = keyVault
  const federated = federatedIdentityCredentials(ctx)
  const nested = [arm.roleAssignments, definitions, accessPolicies, vaultKeys, managedHsmKeys, federated]
  deploymentRoutes(app, { ...arm, types: [...arm.types, ...nested] })
  keyVaultRoutes(app, arm, keyVault)
  attestationDefaultRoutes(app, arm)
  containerGroupRoutes(app, arm)
  federatedCredentialRoutes(app, arm, federated)
  resourceRoutes(app, arm)

  app.notFound((c) => {
    const { message, status, body } = notCovered(`${c.req.method} ${new URL(c.req.url).pathname} of Resource Manager`)
    return c.json({ error: { ...body, message } }, status as 501)
  })
  app.onError((error, c) => {
    const known = asArmError(error)
    if (known === undefined) {
      ctx.journal.write({ service: 'arm', operation: c.req.method, outcome: 'failed', summary: String(error) })
    }
    const answer =
      known ?? new ArmError(500, { code: 'InternalServerError', message: 'The emulator failed; its journal says how.' })
    for (const [name, value] of Object.entries(answer.headers)) c.header(name, value)
    c.header('x-ms-failure-cause', 'gateway')
    return c.json({ error: answer.body }, answer.status as 400)
  })
  return app
}

/** Routes match in lower case; Microsoft.Authorization matches wherever it extends. */
function routePath(pathname: string): string {
  const path = `/${pathname.split('/').filter(Boolean).join('/')}`.toLowerCase()
  const at = path.lastIndexOf('/providers/microsoft.authorization/')
  return at < 0 ? path : `/authorization${path.slice(at + '/providers/microsoft.authorization'.length)}`
}

/** Any dated version is taken: what is answered has the shape of the newest known. */
function apiVersionOf(url: URL): string {
  const version = url.searchParams.get('api-version')
  if (version === null || version === '') {
    throw new ArmError(400, {
      code: 'MissingApiVersionParameter',
      message: 'The api-version query parameter (?api-version=) is required for all requests.',
    })
  }
  if (/^\d{4}-\d{2}-\d{2}(?:-(?:alpha|beta|preview|privatepreview))?$/i.test(version)) return version
  throw new ArmError(400, {
    code: 'InvalidApiVersionParameter',
    message: `The api-version '${version}' is invalid. The api-version must be a date, as in '2023-05-01', optionally followed by '-preview'.`,
  })
}
