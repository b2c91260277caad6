import type { EmulatorContext, PlainAnswer, PlainRequest } from '../core/index.ts'
import { plainAnswer } from './answer.ts'
import { requireApiVersion } from './api-version.ts'
import { attest } from './attest.ts'
import { requestIdFor, requireProvider } from './entrance.ts'
import { AttestationError } from './errors.ts'
import type { EvidenceKind } from './evidence-kind.ts'

/** `POST /attest/{type}`, which is asked often: in plain parts. */
export interface AttestCalls {
  /** In lower case. */
  readonly paths: readonly string[]
  covers(method: string, url: URL): boolean
  answer(request: PlainRequest): Promise<PlainAnswer>
}

export function attestCalls(ctx: EmulatorContext, kinds: readonly EvidenceKind[]): AttestCalls {
  // Paths of the service are compared without case.
  const byPath = new Map(kinds.map((kind) => [`/attest/${kind.type.toLowerCase()}`, kind]))
  const kindOf = ({ pathname }: URL) => byPath.get(pathname.toLowerCase())

  const tokenFor = async (request: PlainRequest, requestId: string): Promise<string> => {
    const url = new URL(request.url)
    const host = url.hostname.toLowerCase()
    const provider = requireProvider(ctx, host)
    const kind = kindOf(url)!
    requireApiVersion(url.searchParams.get('api-version') ?? undefined, `attest/${kind.type}`)
    return await attest(ctx, kind, { provider, issuer: `https://${host}`, requestId, body: await request.text() })
  }

  return {
    paths: [...byPath.keys()],
    covers: (method, url) => method === 'POST' && kindOf(url) !== undefined,
    async answer(request) {
      const requestId = requestIdFor(ctx, request.headers.get('traceparent'))
      try {
        return plainAnswer(200, { token: await tokenFor(request, requestId) }, requestId)
      } catch (error) {
        if (!(error instanceof AttestationError)) throw error
        return plainAnswer(error.status, error.body(), requestId)
      }
    },
  }
}
