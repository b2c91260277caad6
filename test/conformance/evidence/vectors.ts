import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { decodeSnpAttestRequest, encodeBase64Url, encodeUtf8 } from '@skerry/guest/wire'
import { manualClock } from '../../../emulator/src/core/index.ts'
import type { AttestationSettings } from '../../../emulator/src/core/settings.ts'
import { createTestContext } from '../../../emulator/src/core/test-context.ts'
import { MICROSOFT_UVM_ENDORSER } from '../../../emulator/src/maa/evidence/trust.ts'
import { createMaaService } from '../../../emulator/src/maa/index.ts'
import { createProcessor } from '../../../emulator/src/psp/index.ts'

/* Evidence of production hosts, beside the repository if at all, and a provider of the emulator that believes it. */

const VECTORS = fileURLToPath(new URL('../../../../shared/vectors/snp/', import.meta.url))
export const present = existsSync(VECTORS)

/** The body that an official sidecar sent; its nonce is a number beyond 2^53. */
export const SIDECAR = '02-maa-request-milan-v3-svn103'
/** Another request, with the token that the live service gave for it. */
export const TOKEN_PAIR = '09-maa-token-pair-milan-v2'

export const textOf = (folder: string, file: string): string => readFileSync(`${VECTORS}${folder}/${file}`, 'utf8')
export const bytesOf = (folder: string, file: string): Uint8Array<ArrayBuffer> =>
  new Uint8Array(readFileSync(`${VECTORS}${folder}/${file}`))
export const jsonOf = <T>(folder: string, file: string): T => JSON.parse(textOf(folder, file)) as T

/** AMD's roots, and Microsoft as endorser of its production images. */
export const PRODUCTION: AttestationSettings = { trust: 'amd', endorsers: [MICROSOFT_UVM_ENDORSER] }

export interface Asked {
  readonly status: number
  readonly body: Record<string, unknown>
  /** The names of the conditions that were not met, as the journal has them. */
  readonly unmet: readonly string[]
}

/** A shared provider at a date, and what it answers to a body. */
export function provider(at: string | number, attestation: AttestationSettings = PRODUCTION) {
  const world = createTestContext({ clock: manualClock(at), settings: { attestation } })
  const psp = createProcessor(world.ctx)
  world.use(createMaaService(world.ctx, { psp }))
  return {
    psp,
    async ask(body: string, host = 'sharedeus2.eus2.attest.azure.net', version = '2020-10-01'): Promise<Asked> {
      const url = `https://${host}/attest/SevSnpVM?api-version=${version}`
      const response = await world.fetch(new Request(url, { method: 'POST', body }))
      const record = world.ctx.journal.records().findLast(({ service }) => service === 'maa')
      return {
        status: response.status,
        body: (await response.json()) as Record<string, unknown>,
        unmet: (record?.conditions ?? []).filter(({ met }) => !met).map(({ name }) => name),
      }
    },
  }
}

/** The sidecar's request in its parts, each of which can be changed and put together again. */
export interface Parts {
  /** The outer members. */
  readonly outer: Readonly<Record<string, unknown>>
  /** Members of the JSON in `report`. */
  readonly inner: Readonly<Record<string, unknown>>
  readonly report: Uint8Array<ArrayBuffer>
  readonly pem: string
  readonly cose: Uint8Array<ArrayBuffer>
}

export const encodeText = (text: string): string => encodeBase64Url(encodeUtf8(text))

export function partsOf(folder = SIDECAR): Parts {
  const text = textOf(folder, 'request.json')
  const outer = JSON.parse(text.replace(/("nonce": *)(\d+)/, '$1"$2"')) as Record<string, string>
  const inner = JSON.parse(Buffer.from(outer.report!, 'base64url').toString()) as Record<string, unknown>
  const { report, certificateChainPem, uvmEndorsements } = decodeSnpAttestRequest(text)
  return {
    outer,
    inner,
    report: new Uint8Array(report),
    pem: certificateChainPem,
    cose: new Uint8Array(uvmEndorsements[0]!),
  }
}

/** The body with these parts changed and all others as they were sent. */
export function bodyWith(parts: Parts, change: Partial<Parts>): string {
  const inner = {
    ...parts.inner,
    ...(change.report !== undefined && { SnpReport: encodeBase64Url(change.report) }),
    ...(change.pem !== undefined && { VcekCertChain: encodeText(change.pem) }),
    ...(change.cose !== undefined && {
      Endorsements: encodeText(JSON.stringify({ Uvm: [encodeBase64Url(change.cose)] })),
    }),
    ...change.inner,
  }
  return JSON.stringify({ ...parts.outer, report: encodeText(JSON.stringify(inner)), ...change.outer })
}
