import { describe, expect, it } from 'vitest'
import { userAgentOf, withUserAgent } from './user-agent.ts'

const tokenWith = (claims: unknown) => `e30.${Buffer.from(JSON.stringify(claims)).toString('base64url')}.c2ln`

describe('the name that the attestation service is told', () => {
  it.each([
    [
      'the subscription of a managed identity',
      { xms_az_rid: '/subscriptions/s-1/resourcegroups/g', appid: 'a' },
      ' subscription_id=s-1',
    ],
    ['the client otherwise', { appid: '0-a' }, ' client_id=0-a'],
    ['nothing of a resource that is in no subscription', { xms_az_rid: '/providers/x' }, ''],
    ['nothing of what could not stand in a header', { appid: 'a\r\nX-Injected: 1' }, ''],
    ['nothing of claims that are none', 'text', ''],
  ])('says %s', (_, claims, behind) => {
    expect(userAgentOf(tokenWith(claims))).toBe(`ConfidentialSkrContainer${behind}`)
  })

  it('is the bare name for a token that is none', () => {
    expect(userAgentOf('opaque')).toBe('ConfidentialSkrContainer')
  })

  it('goes to the attestation service and to nobody else', async () => {
    const seen: (string | null)[] = []
    const fetch = withUserAgent(
      async (_url, init) => {
        const headers = new Headers(init?.headers)
        seen.push(`${headers.get('user-agent')} ${headers.get('content-type')}`)
        return new Response()
      },
      () => 'mine',
    )
    await fetch('https://m.attest.azure.net/attest/SevSnpVM?api-version=1', { headers: { 'Content-Type': 'x' } })
    await fetch('https://v.vault.azure.net/keys/attest/release', { headers: { 'Content-Type': 'x' } })
    expect(seen).toEqual(['mine x', 'null x'])
  })
})
