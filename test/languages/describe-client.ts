import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { casesOf, RELEASE_CASES, SERVICES, type ServiceName } from './cases.ts'
import { type Finished, type Prepared, run } from './toolchain.ts'
import { type LanguageWorld, startWorld } from './world.ts'

/** How a client program is run once it is built. */
export interface ClientProgram {
  readonly command: string
  readonly args: readonly string[]
  /** Variables that it needs beside those of `skerry env`. */
  readonly setUp?: (world: LanguageWorld) => Promise<NodeJS.ProcessEnv>
}

interface Result {
  readonly case: string
  readonly on: ServiceName
  readonly ok: boolean
  readonly detail: string
}

/**
 * Runs a client program once and reads a line of JSON for each of its cases. The program reads its job from standard
 * input: `{services: [{service, url, cases}], application, fixture}`.
 */
export function describeClient(title: string, prepare: () => Promise<Prepared<ClientProgram>>): void {
  describe(title, () => {
    let unavailable: string | undefined
    let withoutRelease: string | undefined
    let results: readonly Result[] = []
    let finished: Finished | undefined
    let world: LanguageWorld | undefined

    beforeAll(async () => {
      const prepared = await prepare()
      if ('unavailable' in prepared) {
        unavailable = prepared.unavailable
        process.stdout.write(`${title}: skipped. ${unavailable}\n`)
        return
      }
      world = await startWorld()
      const fixture = await world.fixture()
      if ('unavailable' in fixture) withoutRelease = fixture.unavailable
      const { clientId, certificateFile, tokenFile } = world.application
      const application = { tenantId: world.environment.AZURE_TENANT_ID, clientId, certificateFile, tokenFile }
      const { command, args, setUp } = prepared.ready
      const services = SERVICES.map((service) => ({
        service,
        url: world?.endpoints[service],
        cases: casesOf(service).filter((name) => withoutRelease === undefined || !RELEASE_CASES.has(name)),
      }))
      finished = await run(command, args, {
        env: { ...world.environment, ...(await setUp?.(world)) },
        input: JSON.stringify({ services, application, fixture }),
      })
      results = finished.stdout
        .split('\n')
        .filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line) as Result)
    }, 900_000)

    afterAll(async () => await world?.[Symbol.asyncDispose]())

    describe.each(SERVICES)('on a %s', (service) => {
      it.for(casesOf(service))('%s', (name, ctx) => {
        const reason = unavailable ?? (RELEASE_CASES.has(name) ? withoutRelease : undefined)
        if (reason !== undefined) ctx.skip(reason)
        const result = results.find((candidate) => candidate.on === service && candidate.case === name)
        expect(result?.detail ?? `no result; the program said: ${finished?.stderr}`).toBe('')
        expect(result?.ok).toBe(true)
      })
    })

    it('ends by itself, without a failure', (ctx) => {
      if (unavailable !== undefined) ctx.skip(unavailable)
      expect(finished?.code, finished?.stderr).toBe(0)
    })
  })
}
