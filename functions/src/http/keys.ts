import { randomUUID } from 'node:crypto'
import { app } from '@azure/functions'
import * as df from 'durable-functions'
import type { Outcome } from '../azure/outcome.ts'
import { importInstanceIdOf, ORCHESTRATION } from '../deployment/names.ts'
import type { KeyReference } from '../deployment/record.ts'
import { readKeyRequest } from '../deployment/request.ts'
import { Problem } from '../problem.ts'
import { readSettings } from '../settings.ts'
import { startOnce, statusOf } from './durable.ts'
import { readJson, respond } from './respond.ts'
import { isRunning } from './view.ts'

const input = df.input.durableClient()

app.http('createKey', {
  methods: ['POST'],
  route: 'keys',
  authLevel: 'function',
  extraInputs: [input],
  handler: (request, context) =>
    respond(context, async () => {
      const { subscriptionId, pace } = readSettings()
      const client = df.getClient(context)
      const { key, hostData } = await readKeyRequest(await readJson(request))
      const instanceId = importInstanceIdOf(key.name, key.vaultHost)
      const start = { subscriptionId, key, hostData, operation: randomUUID(), pace }
      await startOnce(client, ORCHESTRATION.importKey, instanceId, start, `Key ${key.name}`)
      const location = `/api/keys/${key.vaultHost}/${key.name}`
      return { status: 202, headers: { location, 'retry-after': '1' }, jsonBody: { name: key.name, location } }
    }),
})

app.http('getKey', {
  methods: ['GET'],
  route: 'keys/{vaultHost}/{name}',
  authLevel: 'function',
  extraInputs: [input],
  handler: (request, context) =>
    respond(context, async () => {
      const { name = '', vaultHost = '' } = request.params
      const status = await statusOf(df.getClient(context), importInstanceIdOf(name, vaultHost.toLowerCase()))
      if (!status) throw new Problem(404, 'ERR_NOT_FOUND', `No import of key ${name} into ${vaultHost} is known here.`)
      if (isRunning(status)) return { jsonBody: { name, phase: 'Importing' } }
      const outcome = status.output as Outcome<KeyReference> | null
      if (status.runtimeStatus === 'Completed' && outcome?.ok) {
        return { jsonBody: { name, phase: 'Imported', id: outcome.value.id, version: outcome.value.version } }
      }
      const failure =
        outcome && !outcome.ok
          ? outcome
          : { code: 'ERR_ORCHESTRATION', reason: `the import ended as ${status.runtimeStatus}` }
      return { jsonBody: { name, phase: 'Failed', failure: { code: failure.code, reason: failure.reason } } }
    }),
})
