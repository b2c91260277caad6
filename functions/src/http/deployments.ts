import { randomUUID } from 'node:crypto'
import { app, type HttpRequest, type HttpResponseInit, type InvocationContext } from '@azure/functions'
import * as df from 'durable-functions'
import { instanceIdOf, ORCHESTRATION } from '../deployment/names.ts'
import type { DeploymentRecord } from '../deployment/record.ts'
import { readDeploymentRequest, readUpgradeRequest } from '../deployment/request.ts'
import { standing } from '../deployment/standing.ts'
import { Problem } from '../problem.ts'
import { readSettings } from '../settings.ts'
import { deploymentNames, recordOf, requireRecord, startOperation, statusOf } from './durable.ts'
import { readJson, respond } from './respond.ts'
import { isRunning, summaryOf, viewOf } from './view.ts'

const input = df.input.durableClient()

type Handler = (request: HttpRequest, client: df.DurableClient) => Promise<HttpResponseInit>

function route(name: string, method: 'GET' | 'POST' | 'DELETE', path: string, handler: Handler): void {
  app.http(name, {
    methods: [method],
    route: path,
    authLevel: 'function',
    extraInputs: [input],
    handler: (request: HttpRequest, context: InvocationContext) =>
      respond(context, () => handler(request, df.getClient(context))),
  })
}

route('createDeployment', 'POST', 'deployments', async (request, client) => {
  const settings = readSettings()
  const spec = await readDeploymentRequest(await readJson(request), settings.subscriptionId)
  const existing = await recordOf(client, spec.name)
  // One that was taken back or torn down has nothing in Azure any more: its name is free.
  const ended = existing?.phase === 'Deleted' || existing?.phase === 'Failed'
  const free = existing === undefined || (ended && standing(existing.effects).length === 0)
  if (!free && !isRunning(await statusOf(client, instanceIdOf(spec.name)))) {
    throw new Problem(409, 'ERR_EXISTS', `Deployment ${spec.name} exists; upgrade it, or delete it first.`)
  }
  await startOperation(client, spec.name, ORCHESTRATION.provision, {
    spec,
    pace: settings.pace,
    operation: randomUUID(),
  })
  return accepted(spec.name, 'Provisioning')
})

route('listDeployments', 'GET', 'deployments', async (_request, client) => {
  const records = await Promise.all((await deploymentNames(client)).map((name) => recordOf(client, name)))
  return { jsonBody: { deployments: records.filter((record) => record !== undefined).map(summaryOf) } }
})

route('getDeployment', 'GET', 'deployments/{name}', async (request, client) => {
  const name = request.params.name ?? ''
  // In this order: an operation that has ended has written its record.
  const status = await statusOf(client, instanceIdOf(name))
  const record = await recordOf(client, name)
  if (!record) {
    // Accepted a moment ago: the orchestration has not written its first record yet.
    if (isRunning(status)) return { jsonBody: { name, phase: 'Provisioning', steps: [] } }
    throw new Problem(404, 'ERR_NOT_FOUND', `There is no deployment named ${name}.`)
  }
  return { jsonBody: viewOf(record, status) }
})

route('upgradeDeployment', 'POST', 'deployments/{name}/upgrade', async (request, client) => {
  const { pace } = readSettings()
  const record = await requireRunning(client, request.params.name ?? '')
  const spec = await readUpgradeRequest(await readJson(request), record.spec)
  await startOperation(client, record.spec.name, ORCHESTRATION.upgrade, {
    record,
    spec,
    pace,
    operation: randomUUID(),
  })
  return accepted(record.spec.name, 'Upgrading')
})

route('rotateDeployment', 'POST', 'deployments/{name}/rotate', async (request, client) => {
  const { pace } = readSettings()
  const record = await requireRunning(client, request.params.name ?? '')
  await startOperation(client, record.spec.name, ORCHESTRATION.rotate, { record, pace, operation: randomUUID() })
  return accepted(record.spec.name, 'Rotating')
})

route('deleteDeployment', 'DELETE', 'deployments/{name}', async (request, client) => {
  const { pace } = readSettings()
  const purgeText = request.query.get('purge') ?? 'false'
  if (purgeText !== 'true' && purgeText !== 'false')
    throw new Problem(400, 'ERR_QUERY', 'The query purge is true or false.')
  const record = await requireRecord(client, request.params.name ?? '')
  await startOperation(client, record.spec.name, ORCHESTRATION.teardown, { record, pace, purge: purgeText === 'true' })
  return accepted(record.spec.name, 'Deleting')
})

/** @throws Problem 404, or 409 when there is no running group to act on */
async function requireRunning(client: df.DurableClient, name: string): Promise<DeploymentRecord> {
  const record = await requireRecord(client, name)
  const { effects } = record
  if (!standing(effects).includes('group') || effects.proof === undefined) {
    throw new Problem(409, 'ERR_NOT_RUNNING', `Deployment ${name} is ${record.phase}: it has no running group.`)
  }
  return record
}

/** 202, and where to look: this app's own address, never Durable's. */
function accepted(name: string, phase: string): HttpResponseInit {
  const location = `/api/deployments/${name}`
  return { status: 202, headers: { location, 'retry-after': '2' }, jsonBody: { name, phase, location } }
}
