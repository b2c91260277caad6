import { describe, expect, it } from 'vitest'
import { attestOpenEnclave, attestSgxEnclave } from './attest-sgx.ts'

const EVIDENCE = new Uint8Array([0xfb, 0xff, 1])
const runtimeData = { data: Buffer.from('{"a":1}'), dataType: 'JSON' } as const

function provider(answer: Response = Response.json({ token: 'a.b.c' })) {
  const asked: { url: string; body: unknown }[] = []
  const fetch = async (url: string, init?: RequestInit) => {
    asked.push({ url, body: JSON.parse(String(init?.body)) })
    return answer
  }
  return { asked, options: { maaEndpoint: 'sharedweu.weu.attest.azure.net', fetch } }
}

describe('an enclave', () => {
  it('is attested by its quote', async () => {
    const { asked, options } = provider()
    await expect(attestSgxEnclave(EVIDENCE, { ...options, runtimeData, nonce: '7' })).resolves.toBe('a.b.c')
    expect(asked).toEqual([
      {
        url: 'https://sharedweu.weu.attest.azure.net/attest/SgxEnclave?api-version=2020-10-01',
        body: { quote: '-_8B', runtimeData: { data: 'eyJhIjoxfQ', dataType: 'JSON' }, nonce: '7' },
      },
    ])
  })

  it('of Open Enclave is attested by its report', async () => {
    const { asked, options } = provider()
    await attestOpenEnclave(EVIDENCE, options)
    expect(asked).toEqual([
      {
        url: 'https://sharedweu.weu.attest.azure.net/attest/OpenEnclave?api-version=2020-10-01',
        body: { report: '-_8B' },
      },
    ])
  })

  it('that is not attested is told why', async () => {
    const refusal = { error: { code: 'InvalidParameter', message: 'The quote is malformed' } }
    const { options } = provider(Response.json(refusal, { status: 400 }))
    await expect(attestSgxEnclave(EVIDENCE, options)).rejects.toMatchObject({
      status: 400,
      upstreamCode: 'InvalidParameter',
    })
  })

  it('is not attested by an answer without a token', async () => {
    const { options } = provider(Response.json({}))
    await expect(attestOpenEnclave(EVIDENCE, options)).rejects.toMatchObject({ code: 'ERR_UPSTREAM_BODY' })
  })
})
