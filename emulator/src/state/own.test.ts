import { describe, expect, it } from 'vitest'
import { systemClock } from '../core/index.ts'
import { TEST_CACHE_DIRECTORY as cacheDir } from '../core/test-context.ts'
import { createEmulator } from '../emulator.ts'
import { continued } from './own.ts'

const group = (name: string, state: string) => {
  const id = `/subscriptions/s/resourceGroups/r/providers/Microsoft.ContainerInstance/containerGroups/${name}`
  return [id.toLowerCase(), { id, name, state, provisioningState: 'Succeeded', ip: '10.0.0.4' }] as const
}
const groups = Object.fromEntries([group('runs', 'Running'), group('ended', 'Failed')])

describe('what goes on from a state', () => {
  it('has its container groups stopped: their programs did not come along', async () => {
    await using emulator = await createEmulator({ cacheDir })
    const state = await emulator.exportState()
    const { containerGroups } = continued({ ...state, collections: { ...state.collections, containerGroups: groups } })
    const [runs, ended] = Object.values(containerGroups!) as Record<string, unknown>[]
    expect(runs).toMatchObject({ name: 'runs', state: 'Stopped' })
    expect(runs).not.toHaveProperty('ip')
    expect(ended).toMatchObject({ name: 'ended', state: 'Failed' })
  })

  it('is never behind the time of its export', async () => {
    await using emulator = await createEmulator({ cacheDir })
    const state = await emulator.exportState()
    const time = new Date(systemClock().now() + 3_600_000).toISOString()
    const later = continued({ ...state, clock: { time, offsetMs: 0 } })['skerry.clock'] as { offsetMs: number }
    expect(Math.abs(later.offsetMs - 3_600_000)).toBeLessThan(60_000)
  })
})

describe('a container group that runs', () => {
  it('keeps time and state where they are', async () => {
    await using emulator = await createEmulator({ cacheDir })
    const [[id, record]] = [group('runs', 'Running')]
    emulator.context.store.collection('containerGroups').put(id, record)
    await expect(emulator.advance(1)).rejects.toThrow(/present time.*container group runs/)
    const state = await emulator.exportState()
    await expect(emulator.importState(state)).rejects.toThrow(/present state: container group runs/)
    emulator.context.store.collection('containerGroups').put(id, { ...record, state: 'Stopped' })
    await emulator.importState(state)
    await emulator.advance(1)
  })
})
