import type { DurableOrchestrationStatus } from 'durable-functions'
import { expect, it } from 'vitest'
import type { DeploymentRecord } from '../deployment/record.ts'
import { viewOf } from './view.ts'

const record = {
  spec: { name: 'd', resourceGroup: 'rg', key: { vaultHost: 'v', authority: 'a' }, template: { secret: 'inside' } },
  phase: 'Running',
  operation: 'provision',
  effects: {},
  steps: [{ name: 'key', startedAt: 't', outcome: 'done' }],
  rotations: [],
  updatedAt: 't',
} as unknown as DeploymentRecord
const status = (members: object) => members as unknown as DurableOrchestrationStatus

it('a deployment at rest is shown as its record has it, without its template', () => {
  const view = viewOf(record, status({ name: 'provision', runtimeStatus: 'Completed' }))
  expect(view).toMatchObject({ phase: 'Running', steps: record.steps })
  expect(JSON.stringify(view)).not.toContain('inside')
})

it('an operation that was accepted a moment ago is under way, and has no steps of an earlier one', () => {
  const view = viewOf(record, status({ name: 'rotate', runtimeStatus: 'Pending' }))
  expect(view).toMatchObject({ phase: 'Rotating', operation: 'rotate', steps: [] })
})

it('a running operation shows its own steps', () => {
  const steps = [{ name: 'rotate key', startedAt: 't', outcome: 'running' }]
  const customStatus = { operation: 'rotate', phase: 'Rotating', steps }
  const view = viewOf(record, status({ name: 'rotate', runtimeStatus: 'Running', customStatus }))
  expect(view).toMatchObject({ phase: 'Rotating', operation: 'rotate', steps })
})

it('an operation that was ended by hand has failed', () => {
  const view = viewOf({ ...record, phase: 'Upgrading' }, status({ name: 'upgrade', runtimeStatus: 'Terminated' }))
  expect(view).toMatchObject({ phase: 'Failed', failure: { code: 'ERR_ORCHESTRATION' } })
})
