import type { Context, Hono } from 'hono'
import type { VaultRecord } from '../../core/index.ts'
import { authorize } from '../access.ts'
import { groupId } from '../address.ts'
import { readJsonBody } from '../body.ts'
import type { ArmContext, ArmVariables } from '../context.ts'
import { ArmError, armErrors, notCovered } from '../error.ts'
import type { ArmResource } from '../providers/types.ts'
import { followByLocation } from '../routes/resources.ts'
import { isVaultName, NAME_RULE, nameTakenMessage, vaultErrors } from './errors.ts'
import { viewOperation } from './operations.ts'
import type { KeyVaultProvider } from './provider.ts'
import { viewDeleted } from './views.ts'

const SUBSCRIPTION = '/subscriptions/:subscription/providers/microsoft.keyvault'
const GROUP = '/subscriptions/:subscription/resourcegroups/:group/providers/microsoft.keyvault'

/** The two kinds, in the words of paths and actions. */
const KINDS = [
  {
    kind: 'vault',
    type: 'vaults',
    deleted: 'deletedVaults',
    check: 'checkNameAvailability',
    results: 'operationResults',
    purge: 'DeletedVaultPurge',
    actionSpelling: 'deletedVaults',
  },
  {
    kind: 'managedHsm',
    type: 'managedHSMs',
    deleted: 'deletedManagedHSMs',
    check: 'checkMhsmNameAvailability',
    results: 'managedHsmOperationResults',
    purge: 'DeletedManagedHsmPurge',
    actionSpelling: 'deletedManagedHsms',
  },
] as const

/** What Microsoft.KeyVault has beside PUT, GET, PATCH and DELETE of vaults and managed HSMs. */
export function keyVaultRoutes(app: Hono<ArmVariables>, arm: ArmContext, provider: KeyVaultProvider): void {
  const allow = (c: Context<ArmVariables>, action: string, scope: string) =>
    authorize(arm.ctx, arm.authorizer, c.get('caller'), `Microsoft.KeyVault/${action}`, scope)
  const subscriptionScope = (c: Context<ArmVariables>) => `/subscriptions/${c.get('address').subscriptionId}`
  const isThere = (c: Context<ArmVariables>) => (record: { readonly vault: VaultRecord }) =>
    record.vault.id.toLowerCase().startsWith(`${subscriptionScope(c)}/`.toLowerCase())

  for (const { kind, type, deleted, check, results, purge, actionSpelling } of KINDS) {
    const name = type.toLowerCase()
    const resources = kind === 'vault' ? provider.vaults : provider.managedHsms
    const keys = kind === 'vault' ? provider.vaultKeys : provider.managedHsmKeys

    app.get(`${SUBSCRIPTION}/${name}`, (c) => {
      allow(c, `${type}/read`, subscriptionScope(c))
      const items = resources.list(subscriptionScope(c), c.get('apiVersion'))
      return c.json(page(c, items, ({ id, name: own }) => `${id.split('/')[4]}|${own}`))
    })
    app.get(`${GROUP}/${name}`, (c) => {
      const { subscriptionId = '', resourceGroup = '' } = c.get('address')
      const scope = groupId(subscriptionId, resourceGroup)
      allow(c, `${type}/read`, scope)
      arm.groups.require(subscriptionId, resourceGroup)
      return c.json(page(c, resources.list(scope, c.get('apiVersion')), ({ name: own }) => own))
    })

    app.get(`${SUBSCRIPTION}/${deleted.toLowerCase()}`, (c) => {
      allow(c, `${actionSpelling}/read`, subscriptionScope(c))
      return c.json({ value: provider.deleted.list(kind).filter(isThere(c)).map(viewDeleted) })
    })
    const requireDeleted = (c: Context<ArmVariables>, verb: string) => {
      const { names } = c.get('address')
      const [location = '', asked = ''] = names
      const found = provider.deleted
        .list(kind)
        .filter(isThere(c))
        .find(({ vault }) => vault.name.toLowerCase() === asked.toLowerCase())
      allow(c, `locations/${actionSpelling}/${verb}`, found?.vault.id ?? subscriptionScope(c))
      if (found === undefined || found.vault.location !== location.replaceAll(' ', '').toLowerCase()) {
        throw vaultErrors.deletedNotFound(asked)
      }
      return found
    }
    app.get(`${SUBSCRIPTION}/locations/:location/${deleted.toLowerCase()}/:name`, (c) =>
      c.json(viewDeleted(requireDeleted(c, 'read'))),
    )
    app.post(`${SUBSCRIPTION}/locations/:location/${deleted.toLowerCase()}/:name/purge`, (c) => {
      const found = requireDeleted(c, 'purge/action')
      if (found.vault.enablePurgeProtection) throw vaultErrors.purgeProtected(purge)
      const operation = provider.operations.begin()
      provider.deleted.purge(found, operation.doneAtMs)
      const { subscriptionId } = c.get('address')
      const place = `/subscriptions/${subscriptionId}/providers/Microsoft.KeyVault/locations/${found.vault.location}`
      followByLocation(c, `${place}/${results}/${operation.id}`)
      return c.body(null, 202)
    })

    app.get(`${SUBSCRIPTION}/locations/:location/${results.toLowerCase()}/:operation`, (c) => {
      allow(c, `locations/${results}/read`, subscriptionScope(c))
      const [, id = ''] = c.get('address').names
      const operation = provider.operations.get(id)
      if (operation === undefined) {
        throw new ArmError(404, { code: 'OperationNotFound', message: `The operation '${id}' was not found.` })
      }
      const done = provider.operations.isDone(operation)
      if (!done) {
        c.header('location', c.req.url)
        return c.json(viewOperation(operation, false), 202)
      }
      const resource = operation.resourceId === undefined ? undefined : resources.get(operation.resourceId)
      return c.json(resource ?? viewOperation(operation, true))
    })

    app.post(`${SUBSCRIPTION}/${check.toLowerCase()}`, async (c) => {
      allow(c, `${check}/read`, subscriptionScope(c))
      const { value } = await readJsonBody(c.req.raw)
      const asked = typeof value.name === 'string' ? value.name : ''
      if (!isVaultName(asked)) {
        const message = `The vault name '${asked}' is invalid. ${NAME_RULE}`
        return c.json({ nameAvailable: false, reason: 'AccountNameInvalid', message })
      }
      if (!provider.isTaken(kind, asked)) return c.json({ nameAvailable: true })
      return c.json({ nameAvailable: false, reason: 'AlreadyExists', message: nameTakenMessage(asked) })
    })

    /** The vault that the path names, once its caller may do that with its keys. */
    const parent = (c: Context<ArmVariables>, action: string) => {
      const { subscriptionId = '', resourceGroup = '', names } = c.get('address')
      const asked = `${groupId(subscriptionId, resourceGroup)}/providers/Microsoft.KeyVault/${type}/${names[0]}`
      const below = names[1] === undefined ? '' : `/keys/${names[1]}`
      allow(c, `${type}/${action}`, `${asked}${below}`)
      arm.groups.require(subscriptionId, resourceGroup)
      const record = resources.record(asked)
      if (record === undefined) {
        throw armErrors.resourceNotFound(`Microsoft.KeyVault/${type}/${names[0]}`, resourceGroup)
      }
      return { id: record.id, key: names[1] ?? '', version: names[2] ?? '' }
    }
    app.get(`${GROUP}/${name}/:vault/keys`, (c) => c.json({ value: keys.listOf(parent(c, 'keys/read').id) }))
    app.get(`${GROUP}/${name}/:vault/keys/:key`, (c) => {
      const { id, key } = parent(c, 'keys/read')
      keys.listOf(id)
      const found = keys.get(`${id}/keys/${key}`)
      if (found === undefined) throw vaultErrors.keyNotFound(key)
      return c.json(found)
    })
    app.put(`${GROUP}/${name}/:vault/keys/:key`, async (c) => {
      const { id, key } = parent(c, 'keys/write')
      const { value } = await readJsonBody(c.req.raw)
      const result = await keys.put({
        id: `${id}/keys/${key}`,
        name: key,
        body: value,
        caller: c.get('caller'),
        apiVersion: c.get('apiVersion'),
      })
      return c.json(result.body, result.status)
    })
    app.get(`${GROUP}/${name}/:vault/keys/:key/versions`, (c) => {
      const { id, key } = parent(c, 'keys/versions/read')
      return c.json({ value: keys.versionsOf(id, key) })
    })
    app.get(`${GROUP}/${name}/:vault/keys/:key/versions/:version`, (c) => {
      const { id, key, version } = parent(c, 'keys/versions/read')
      return c.json(keys.version(id, key, version))
    })

    app.all(`${GROUP}/${name}/:vault/privateendpointconnections/*`, () => {
      throw notCovered('private endpoints of a vault')
    })
  }

  app.put(`${GROUP}/vaults/:vault/accesspolicies/:change`, async (c) => {
    const { subscriptionId = '', resourceGroup = '', names } = c.get('address')
    const [vault = '', change = ''] = names
    const id = `${groupId(subscriptionId, resourceGroup)}/providers/Microsoft.KeyVault/vaults/${vault}`
    allow(c, 'vaults/accessPolicies/write', id)
    arm.groups.require(subscriptionId, resourceGroup)
    if (provider.vaults.record(id) === undefined) {
      throw armErrors.resourceNotFound(`Microsoft.KeyVault/vaults/${vault}`, resourceGroup)
    }
    const { value } = await readJsonBody(c.req.raw)
    const request = { id: `${id}/accessPolicies/${change}`, name: change, body: value }
    const { body } = await provider.accessPolicies.put({
      ...request,
      caller: c.get('caller'),
      apiVersion: c.get('apiVersion'),
    })
    return c.json(body, 200)
  })

  app.get(`${GROUP}/managedhsms/:hsm/regions`, (c) => {
    const { subscriptionId = '', resourceGroup = '', names } = c.get('address')
    const id = `${groupId(subscriptionId, resourceGroup)}/providers/Microsoft.KeyVault/managedHSMs/${names[0]}`
    allow(c, 'managedHSMs/regions/read', id)
    const record = provider.managedHsms.record(id)
    if (record === undefined) {
      throw armErrors.resourceNotFound(`Microsoft.KeyVault/managedHSMs/${names[0]}`, resourceGroup)
    }
    // Its own region is the only one: nothing is replicated.
    return c.json({ value: [{ name: record.location, isPrimary: true, provisioningState: 'Succeeded' }] })
  })
}

/**
 * One page of a list under `$top`. As the service has it, a full page has a link, even when nothing follows; its token
 * is the last entry that was looked at.
 */
function page(c: Context<ArmVariables>, items: readonly ArmResource[], markOf: (item: ArmResource) => string) {
  const sorted = items.toSorted((a, b) => (markOf(a) < markOf(b) ? -1 : 1))
  const [, token = ''] = (c.req.query('$skiptoken') ?? '').split(',')
  const after = Buffer.from(token, 'base64').toString()
  const rest = after === '' ? sorted : sorted.filter((item) => markOf(item) > after)
  const top = topOf(c.req.query('$top'))
  if (top === undefined) return { value: rest }
  const value = rest.slice(0, top)
  const last = value.at(-1)
  if (last === undefined || value.length < top) return { value }
  const mark = Buffer.from(markOf(last)).toString('base64')
  const { origin, pathname } = new URL(c.req.url)
  const nextLink = `${origin}${pathname}?$top=${top}&api-version=${c.get('apiVersion')}&$skiptoken=ServiceBased,${mark}`
  return { value, nextLink }
}

function topOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new ArmError(400, { code: 'BadRequest', message: `The query parameter '$top' must be a positive integer.` })
}
