import { fileURLToPath } from 'node:url'
import { type MovableClock, manualClock } from '../../core/clock.ts'
import type { Instance } from '../durable/hub.ts'
import { type FunctionsHost, type FunctionsHostOptions, startFunctionsHost } from '../functions-host.ts'
import type { HostLogEntry } from '../log.ts'

/** A host on one of the fixture apps, with time that stands still, for tests. */
export interface TestHost {
  readonly host: FunctionsHost
  readonly clock: MovableClock
  readonly logs: HostLogEntry[]
  /** Calls a method of the app's own durable client, as the app does. */
  client(method: string, ...args: unknown[]): Promise<unknown>
  /** Starts an orchestration and lets everything happen that is due. */
  begin(name: string, input?: unknown, id?: string): Promise<string>
  /** As `begin`, to the end, moving time as far as needed. */
  run(name: string, input?: unknown): Promise<Instance>
  /** `12 0 4#0 13 · 12 5 1#1 13`: the event types of each turn, with the id of what schedules something. */
  signature(id: string): string
  instance(id: string): Instance
  output(id: string): unknown
  fetch(path: string, init?: RequestInit): Promise<Response>
}

/** The folder of a fixture app. */
export function fixtureApp(name: string): string {
  return fileURLToPath(new URL(`../../../../test/fixtures/host-apps/${name}`, import.meta.url))
}

export async function startTestHost(
  options: Partial<FunctionsHostOptions> & { readonly app?: string } = {},
): Promise<TestHost> {
  const clock = (options.clock as MovableClock | undefined) ?? manualClock()
  const logs: HostLogEntry[] = []
  const host = await startFunctionsHost({
    appDir: fixtureApp(options.app ?? 'everything'),
    clock,
    log: (entry) => logs.push(entry),
    ...options,
    env: { TICK_SCHEDULE: '0 0 0 1 1 *', ...options.env },
  })
  const fetchPath = (path: string, init?: RequestInit) => fetch(`${host.url}${path}`, init)
  let started = 0
  const self: TestHost = {
    host,
    clock,
    logs,
    fetch: fetchPath,
    async client(method, ...args) {
      const answer = await fetchPath(`/api/client/${method}`, { method: 'POST', body: JSON.stringify(args) })
      const body = (await answer.json()) as { value?: unknown; message?: string }
      if (!answer.ok) throw new Error(body.message)
      return body.value
    },
    async begin(name, input, id) {
      started += 1
      const instance = host.durable.start({
        name,
        id: id ?? `${name}-${started}`,
        input: input === undefined ? null : JSON.stringify(input),
      })
      await host.idle()
      return instance.id
    },
    async run(name, input) {
      const id = await self.begin(name, input)
      for (let due = host.nextDue(); self.instance(id).output === null && due !== undefined; due = host.nextDue()) {
        const { status } = self.instance(id)
        if (status !== 'Running' && status !== 'Pending') break
        await host.advance(due - clock.now())
      }
      return self.instance(id)
    },
    signature: (id) =>
      host.durable
        .history(id)
        .map(({ EventType, EventId }) => (EventId >= 0 ? `${EventType}#${EventId}` : `${EventType}`))
        .join(' ')
        .replaceAll(' 12', ' · 12'),
    instance(id) {
      const found = host.durable.status(id)
      if (found === undefined) throw new Error(`no instance ${id}`)
      return found
    },
    output: (id) => JSON.parse(self.instance(id).output ?? 'null') as unknown,
  }
  return self
}
