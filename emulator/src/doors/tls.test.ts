import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import type { CertificateAuthority } from '../core/index.ts'
import { createTlsEnd } from './tls.ts'

it('keeps the certificates of a bounded number of names at hand, the newest', () => {
  const asked: string[] = []
  const authority = {
    tlsFor(hostname: string) {
      asked.push(hostname)
      return new Promise<never>(() => {})
    },
  } as unknown as CertificateAuthority
  const end = createTlsEnd(authority)
  const connect = (at: number) => end.accept(new PassThrough(), `v${at}.vault.azure.net`, () => {})
  for (let at = 0; at < 1000; at++) connect(at)
  connect(999)
  expect(asked).toHaveLength(1000)
  connect(0)
  expect(asked).toHaveLength(1001)
})
