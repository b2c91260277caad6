import { spawnSync } from 'node:child_process'
import { createPublicKey, type KeyObject } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  decodeSgxQuote,
  derToPem,
  encodeBase64Url,
  encodeUtf8,
  pemToDer,
  SGX_QUOTE_SIGNED_SIZE,
} from '@skerry/guest/wire'
import { afterAll, describe, expect, it } from 'vitest'
import { readCertificate } from '../evidence/certificates.ts'
import { platformTcb } from './own-collateral.ts'
import { certificatesOf, createEnclaveWorld, flipped } from './test-enclave.ts'

/*
 * A quote of the virtual platform taken apart and held against the program `openssl`, which knows nothing of SGX: the
 * path of its certificates, the lists of revoked ones, and the three signatures.
 */

const absent = spawnSync('openssl', ['version']).status !== 0
if (absent) console.log('skipped: there is no openssl on the search path')

const { ctx, platform, quote } = createEnclaveWorld()
const folder = mkdtempSync(join(tmpdir(), 'skerry-sgx-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const file = (name: string, content: string | Uint8Array) => {
  const path = join(folder, name)
  writeFileSync(path, content)
  return path
}

function openssl(...args: string[]): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync('openssl', args, { encoding: 'utf8', timeout: 30_000 })
  return { status, said: stdout + stderr }
}

describe.skipIf(absent)('what openssl finds of a quote', () => {
  const at = String(Math.floor(ctx.clock.now() / 1000))

  it('a path from the PCK certificate to the root, with nothing revoked', async () => {
    const [leaf, issuer, root] = pemToDer(certificatesOf(await quote())) as [Uint8Array, Uint8Array, Uint8Array]
    const verify = async () => {
      const { rootCaCrl, pckCrl } = await platform.collateral(10)
      const lists = [rootCaCrl, pckCrl].map((der) => derToPem(der, 'X509 CRL')).join('')
      return openssl(
        ...['verify', '-x509_strict', '-attime', at, '-crl_check_all', '-CRLfile', file('lists.pem', lists)],
        ...['-CAfile', file('root.pem', derToPem(root)), '-untrusted', file('issuer.pem', derToPem(issuer))],
        file('leaf.pem', derToPem(leaf)),
      )
    }
    expect(await verify()).toMatchObject({ status: 0 })
    await platform.revoke()
    expect(await verify()).toMatchObject({ status: 2, said: expect.stringMatching(/certificate revoked/) })
  })

  it('three signatures that hold, and none over a byte more or less', async () => {
    const bytes = await quote({ tcb: platformTcb(14) })
    const parts = decodeSgxQuote(bytes)
    const collateral = await platform.collateral(10)
    const pck = readCertificate(pemToDer(certificatesOf(bytes))[0]!).publicKey
    const signer = readCertificate(pemToDer(collateral.tcbInfoIssuerChain)[0]!).publicKey
    const attestation = createPublicKey({
      key: {
        kty: 'EC',
        crv: 'P-256',
        x: encodeBase64Url(parts.attestationKey.subarray(0, 32)),
        y: encodeBase64Url(parts.attestationKey.subarray(32)),
      },
      format: 'jwk',
    })
    for (const [key, signed, signature] of [
      [attestation, bytes.subarray(0, SGX_QUOTE_SIGNED_SIZE), parts.signature],
      [pck, parts.qeReportBytes, parts.qeReportSignature],
      [signer, encodeUtf8(collateral.tcbInfo), collateral.tcbInfoSignature],
      [signer, encodeUtf8(collateral.qeIdentity), collateral.qeIdentitySignature],
    ] as const) {
      expect(verifySignature(key, signed, signature)).toMatchObject({ status: 0, said: 'Verified OK\n' })
      expect(verifySignature(key, flipped(signed, 0), signature)).toMatchObject({ status: 1 })
    }
  })
})

function verifySignature(key: KeyObject, signed: Uint8Array, signature: Uint8Array) {
  return openssl(
    ...['dgst', '-sha256', '-verify', file('key.pem', key.export({ type: 'spki', format: 'pem' }))],
    ...['-signature', file('signature', derSignature(signature)), file('signed', signed)],
  )
}

/** r and s as a DER sequence, which is the only form that the program reads. */
function derSignature(raw: Uint8Array): Uint8Array {
  const integer = (bytes: Uint8Array) => {
    const start = bytes.findIndex((byte) => byte !== 0)
    const content = bytes[start]! >= 0x80 ? [0, ...bytes.subarray(start)] : [...bytes.subarray(start)]
    return [0x02, content.length, ...content]
  }
  const content = [...integer(raw.subarray(0, 32)), ...integer(raw.subarray(32))]
  return Uint8Array.of(0x30, content.length, ...content)
}
