import { existsSync, readFileSync } from 'node:fs'
import { defaultTrustStore, trustStoreOf } from '@skerry/guest'
import { decodeKeyHsm, parseReleasedKeyPayload } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { verifyReleaseJws } from '../../guest/src/skr/jws.ts'

/* A key that a vault of Azure released in September 2022, with the vault's own certificates: verified as of then. */
const RECORDING = new URL('../../../shared/vectors/recordings/vault-azkeys-0.8.1-release-key.json', import.meta.url)
const present = existsSync(RECORDING)
if (!present) console.log('skipped: the recordings are not beside this checkout (../shared/vectors/recordings)')

interface Recording {
  readonly exchanges: readonly { readonly url: string; readonly responseBody: { readonly value?: string } }[]
}

const options = {
  // Its certificate is for every vault.
  hostName: 'contoso.vault.azure.net',
  trust: defaultTrustStore({}),
  nowMs: Date.parse('2022-09-15T00:00:00Z'),
}
const released = () => {
  const { exchanges } = JSON.parse(readFileSync(RECORDING, 'utf8')) as Recording
  return exchanges.find(({ url }) => url.includes('/release'))!.responseBody.value!
}

describe.skipIf(!present)("Azure's answer to a release", () => {
  it('is verified up to a root of this machine, and read', () => {
    const { request, response } = parseReleasedKeyPayload(verifyReleaseJws(released(), options))
    expect(request.enc).toBe('CKM_RSA_AES_KEY_WRAP')
    const { enc, ciphertext } = decodeKeyHsm(response.key.key.key_hsm)
    expect(enc).toBe(request.enc)
    // An AES key under RSA-2048, and behind it the wrapped key in blocks of eight.
    expect([(ciphertext.length - 256) % 8, ciphertext.length > 256 + 16]).toEqual([0, true])
  })

  it.each([
    ['of a managed HSM', { hostName: 'contoso.managedhsm.azure.net' }, 'ERR_RELEASE_HOST_NAME'],
    ['today', { nowMs: Date.parse('2026-01-01T00:00:00Z') }, 'ERR_RELEASE_CHAIN'],
    ['under other roots', { trust: trustStoreOf([]) }, 'ERR_RELEASE_CHAIN'],
  ])('is not taken for that %s', (_what, changed, code) => {
    expect(() => verifyReleaseJws(released(), { ...options, ...changed })).toThrow(expect.objectContaining({ code }))
  })

  it('is not taken with another key in it', () => {
    const [header, payload, signature] = released().split('.')
    const changed = payload!.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))
    expect(() => verifyReleaseJws(`${header}.${changed}.${signature}`, options)).toThrow(
      expect.objectContaining({ code: 'ERR_RELEASE_SIGNATURE' }),
    )
  })
})
