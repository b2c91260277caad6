import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ContainerInstanceManagementClient } from '@azure/arm-containerinstance'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { isRunning } from '../../emulator/src/core/index.ts'
import { needDevice } from '../support/need-device.ts'
import { type Loopback, ownLoopback, TURN_TIMEOUT_MS } from '../support/own-loopback.ts'
import { startUp } from '../support/processes.ts'
import { temporaryFolder } from '../support/skerry.ts'
import { until } from '../support/until.ts'

/** All below this process, as the kernel knows them (proc_tid_children(5)). */
function descendants(pid: number): number[] {
  try {
    const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
    )
    return [...children, ...children.flatMap(descendants)]
  } catch {
    return []
  }
}

const sidecarGroup = {
  location: 'westeurope',
  sku: 'Confidential',
  osType: 'Linux',
  confidentialComputeProperties: { ccePolicy: Buffer.from('package policy\n').toString('base64') },
  containers: [
    {
      name: 'sidecar',
      image: 'mcr.microsoft.com/aci/skr:2.7',
      command: ['/skr.sh'],
      resources: { requests: { cpu: 1, memoryInGB: 1 } },
    },
  ],
}

let loopback: Loopback
beforeAll(async () => {
  loopback = await ownLoopback()
}, TURN_TIMEOUT_MS)
afterAll(() => loopback[Symbol.asyncDispose]())

describe('an emulator whose containers run', () => {
  it.for([
    ['Ctrl-C, pressed twice', ['SIGINT', 'SIGINT'], 0],
    ['SIGTERM', ['SIGTERM'], 0],
    ['SIGKILL', ['SIGKILL'], null],
  ] as const)('ends with them at %s', async ([, signals, wanted], ctx) => {
    await needDevice(ctx)
    using folder = temporaryFolder()
    const data = join(folder.path, 'data')
    const up = await startUp(data, folder.path)
    const { child, ended } = up.command
    using _whatever = { [Symbol.dispose]: () => void child.kill('SIGKILL') }
    const arm = new ContainerInstanceManagementClient(up.credential, up.info.credentials.subscriptionId, up.sdkOptions)
    await arm.containerGroups.beginCreateOrUpdateAndWait('skerry', 'sidecar', sidecarGroup, { updateIntervalInMs: 50 })
    await until(async () =>
      (await arm.containers.listLogs('skerry', 'sidecar', 'sidecar')).content?.includes(
        'Listening and serving HTTP on localhost',
      ),
    )
    const processes = descendants(child.pid!)
    expect(processes.length).toBeGreaterThanOrEqual(2)

    for (const signal of signals) child.kill(signal)
    expect((await ended).code).toBe(wanted)
    await until(() => processes.every((pid) => !isRunning(pid)))
    if (wanted === null) return
    expect(readdirSync(data).filter((name) => /^(lock|instance\.json)$/.test(name))).toEqual([])
    expect(readdirSync(join(folder.path, 'skerry'))).toEqual([])
  })
})
