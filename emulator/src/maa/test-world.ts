import { createHash } from 'node:crypto'
import {
  certificateChainPem,
  decodeReportResponse,
  encodeReportRequest,
  encodeSnpAttestRequest,
  encodeUtf8,
  type SnpAttestRequest,
} from '@skerry/guest/wire'
import type { Faults, JournalRecord } from '../core/index.ts'
import { createTestContext } from '../core/test-context.ts'
import { createProcessor } from '../psp/index.ts'
import { createMaaService } from './index.ts'

/* For the tests of this folder: a provider, a processor, and the evidence that a guest on it would send. */

export const PROVIDER = 'sharedweu.weu.attest.azure.net'
export const ATTEST_URL = `https://${PROVIDER}/attest/SevSnpVm?api-version=2022-08-01`
export const HOST_DATA = new Uint8Array(createHash('sha256').update('a CCE policy').digest())
export const RUNTIME_DATA = encodeUtf8('{ "keys": [{ "kty": "RSA", "kid": "k", "e": "AQAB" }] }\n')

export function createAttestationWorld(options: { debug?: boolean; faults?: Faults } = {}) {
  const world = createTestContext(options.faults === undefined ? {} : { faults: options.faults })
  const psp = createProcessor(world.ctx)
  world.use(createMaaService(world.ctx, { psp }))
  const guest = psp.launch({ hostData: HOST_DATA, debug: options.debug ?? false })

  const evidence = async (): Promise<Required<Omit<SnpAttestRequest, 'nonce' | 'initTimeData'>>> => {
    const reportData = new Uint8Array(64)
    reportData.set(createHash('sha256').update(RUNTIME_DATA).digest())
    const response = await guest.reportRequest(encodeReportRequest({ reportData, vmpl: 0 }))
    return {
      report: decodeReportResponse(response).report,
      certificateChainPem: certificateChainPem(await psp.thim()),
      uvmEndorsements: [await psp.uvm.endorsement()],
      runtimeData: { data: RUNTIME_DATA, dataType: 'JSON' },
    }
  }
  const post = (body: string, url = ATTEST_URL) => world.fetch(new Request(url, { method: 'POST', body }))
  return {
    world,
    psp,
    evidence,
    post,
    attest: async (change: Partial<SnpAttestRequest> = {}) =>
      post(encodeSnpAttestRequest({ ...(await evidence()), ...change })),
    lastDecision: (): JournalRecord => world.ctx.journal.records().findLast(({ service }) => service === 'maa')!,
    /** The names of the conditions that the last decision found not met. */
    unmet: (): string[] => {
      const record = world.ctx.journal.records().findLast(({ service }) => service === 'maa')
      return (record?.conditions ?? []).filter(({ met }) => !met).map(({ name }) => name)
    },
  }
}
