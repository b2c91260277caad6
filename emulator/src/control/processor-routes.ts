import { Hono } from 'hono'
import * as v from 'valibot'
import type { ProcessorFaults } from '../core/index.ts'
import type { ProcessorTcb, VirtualProcessor } from '../psp/types.ts'

/*
 * Control routes of the processor under the guests: what it is, its TCB, its fault plan.
 */

const count = (name: string) => v.pipe(v.number(`${name} is not a number`), v.integer(), v.minValue(1))
const level = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(255))
const supply = v.optional(v.picklist(['fresh', 'stale', 'missing']))

/** `POST /.skerry/psp/tcb`: levels that change; none: one update further. */
const RollRequest = v.strictObject({
  tcb: v.optional(
    v.strictObject({
      bootLoader: v.optional(level),
      tee: v.optional(level),
      snp: v.optional(level),
      microcode: v.optional(level),
      fmc: v.optional(level),
    }),
  ),
  /** `fresh`: THIM and AMD have certificates for it; `stale`: only AMD; `missing`: nobody. Default `fresh`. */
  certificates: supply,
})

export type RollRequest = v.InferOutput<typeof RollRequest>

const failure = {
  status: v.optional(v.pipe(v.number(), v.integer(), v.minValue(400), v.maxValue(599))),
  retryAfterSeconds: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0))),
}
const answers = v.optional(
  v.union([
    v.strictObject({ ...failure, every: count('every') }),
    v.strictObject({ ...failure, at: count('at'), count: v.optional(count('count')) }),
  ]),
)

/** `PUT /.skerry/psp/faults`: the whole plan. */
const FaultsRequest = v.strictObject({
  requests: v.optional(
    v.array(
      v.strictObject({
        at: count('at'),
        count: v.optional(count('count')),
        kind: v.optional(v.picklist(['report', 'key'])),
        failure: v.picklist(['firmware', 'vmm', 'busy', 'response', 'sequence', 'again']),
        status: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(0xffff_ffff))),
      }),
    ),
  ),
  tcbRoll: v.optional(v.strictObject({ at: count('at'), certificates: supply })),
  revoked: v.optional(v.array(v.picklist(['ask', 'asvk']))),
  thim: answers,
  kds: answers,
  certificateCache: answers,
})

/** `GET /.skerry/psp`. */
export interface ProcessorAnswer {
  /** As it is sold, and as AMD's certificates name it. */
  readonly name: string
  readonly product: string
  readonly reportVersion: number
  readonly signing: 'vcek' | 'vlek'
  readonly tcb: ProcessorTcb
}

export function processorRoutes(psp: VirtualProcessor): Hono {
  return new Hono()
    .get('/psp', (c) => {
      const { name, product, reportVersion, vlekLoaded } = psp.settings
      const signing = vlekLoaded ? 'vlek' : 'vcek'
      return c.json({ name, product, reportVersion, signing, tcb: psp.tcb() } satisfies ProcessorAnswer)
    })
    .post('/psp/tcb', async (c) => {
      const parsed = v.safeParse(RollRequest, await c.req.json().catch(() => undefined))
      if (!parsed.success) return badRequest(v.summarize(parsed.issues))
      const { tcb, certificates = 'fresh' } = parsed.output
      try {
        return c.json(psp.rollTcb(tcb as Parameters<VirtualProcessor['rollTcb']>[0], { certificates }))
      } catch (error) {
        if (error instanceof RangeError) return badRequest(error.message)
        throw error
      }
    })
    .put('/psp/faults', async (c) => {
      const parsed = v.safeParse(FaultsRequest, await c.req.json().catch(() => undefined))
      if (!parsed.success) return badRequest(v.summarize(parsed.issues))
      psp.setFaults(parsed.output as ProcessorFaults)
      return c.body(null, 204)
    })
}

function badRequest(message: string): Response {
  return Response.json({ error: { code: 'BadRequest', message } }, { status: 400 })
}
