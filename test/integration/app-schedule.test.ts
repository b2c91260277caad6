import { expect, it } from 'vitest'
import { startAppWorld } from '../support/app-world.ts'
import { exampleBody } from '../support/example.ts'

const NINETY_DAYS_MS = 90 * 86_400_000

it('a key is rotated by the first scheduled sweep that finds its version old enough, and by no sweep before', async () => {
  const resources = { vaults: [{ name: 'schedule', resourceGroup: 'rg' }] }
  await using world = await startAppWorld(resources, { ROTATION_AGE_DAYS: '90', ROTATION_SCHEDULE: '0 0 3 * * 1' })
  const { host, clock } = world
  const first = await world.deploy(exampleBody({ name: 'aging', vaultHost: 'schedule.vault.azure.net' }))
  expect(first.failure).toBeUndefined()
  const due = clock.now() + NINETY_DAYS_MS

  let sweeps = 0
  for (; host.nextDue()! < due; sweeps += 1) await host.advance(host.nextDue()! - clock.now())
  expect(sweeps).toBeGreaterThanOrEqual(12)
  const sweep = host.durable.status('rotation-sweep')!
  expect(sweep.status).toBe('Completed')
  expect(JSON.parse(sweep.output!)).toEqual({ started: [], left: [] })
  const young = await world.ended('aging')
  expect([young.key, young.rotations]).toEqual([first.key, []])

  // No further than that Monday: what it starts waits for containers, in real time.
  await host.advance(host.nextDue()! - clock.now())
  const rotated = await world.ended('aging')
  expect(rotated.failure).toBeUndefined()
  expect(rotated.rotations).toHaveLength(1)
  expect(rotated.proof!.keyVersion).toBe(rotated.key!.version)
  expect(rotated.key!.version).not.toBe(first.key!.version)
})
