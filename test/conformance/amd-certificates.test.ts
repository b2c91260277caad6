import { createPublicKey, X509Certificate } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { AsnConvert } from '@peculiar/asn1-schema'
import { Certificate } from '@peculiar/asn1-x509'
import { decodeVcekExtensions, pemToDer, productOfName, type SnpProduct } from '@skerry/guest/wire'
import { beforeAll, describe, expect, it } from 'vitest'
import { createTestContext } from '../../emulator/src/core/test-context.ts'
import {
  buildArk,
  buildAsk,
  buildAsvk,
  buildVcek,
  buildVlek,
  type KeyPair,
} from '../../emulator/src/psp/amd-profile.ts'

/*
 * AMD's own certificates written anew by the virtual processor's builders: given the public key, the dates and the values
 * of a real one, what is to be signed must come out byte for byte. The signing key is ours; only AMD has AMD's.
 */
const VECTORS = fileURLToPath(new URL('../../../shared/vectors/snp/', import.meta.url))
const present = existsSync(VECTORS)
if (!present) console.log('skipped: AMD certificates are not beside this checkout (../shared/vectors/snp)')

const read = (file: string) => pemToDer(readFileSync(`${VECTORS}${file}`, 'utf8')).map((der) => new Uint8Array(der))
const files = (pattern: RegExp) =>
  present
    ? readdirSync(VECTORS, { recursive: true, encoding: 'utf8' })
        .filter((file) => pattern.test(file))
        .sort()
    : ['a certificate that is not here']

/** What a signature covers, without the algorithm's parameters, in which older certificates write a default. */
function signedPart(der: Uint8Array, { pssTrailer }: { pssTrailer: boolean }): string {
  const { tbsCertificate, tbsCertificateRaw } = AsnConvert.parse(Uint8Array.from(der), Certificate)
  if (!pssTrailer) return Buffer.from(tbsCertificateRaw!).toString('hex')
  tbsCertificate.signature.parameters = null
  return Buffer.from(AsnConvert.serialize(tbsCertificate)).toString('hex')
}

const commonName = (name: string) => /^CN=(.*)$/m.exec(name)![1]!
const publicKeyOf = (der: Uint8Array) =>
  createPublicKey(new X509Certificate(der).publicKey.export({ type: 'spki', format: 'pem' }))

let ours: KeyPair
beforeAll(async () => {
  const privateKey = await createTestContext().ctx.keys.rsa('test-ark', 2048)
  ours = { privateKey, publicKey: createPublicKey(privateKey) }
})

describe.skipIf(!present).each(files(/v[cl]ek\.pem$/))('%s', (file) => {
  it('comes out of the builder as AMD signed it', () => {
    const [real] = read(file) as [Uint8Array]
    const x509 = new X509Certificate(real)
    const product = productOfName(commonName(x509.issuer)) as SnpProduct
    const { tcb, hwid, cspId } = decodeVcekExtensions(real)
    const publicKey = publicKeyOf(real)
    const notBefore = x509.validFromDate.getTime()
    const built =
      cspId === undefined
        ? buildVcek({ product, publicKey, chipId: hwid!, tcb }, ours.privateKey, notBefore)
        : buildVlek({ product, publicKey, cspId, tcb }, ours.privateKey, notBefore)
    // Certificates from before 2025 write the default trailer field.
    const pssTrailer = x509.validFromDate < new Date('2024-06-01')
    expect(signedPart(built, { pssTrailer })).toBe(signedPart(real, { pssTrailer }))
  })
})

describe.skipIf(!present).each(files(/13-amd-ca.*\.pem$/))('%s', (file) => {
  const chain = () => read(file) as [Uint8Array, Uint8Array]
  const pair = (der: Uint8Array): KeyPair => ({ publicKey: publicKeyOf(der), privateKey: ours.privateKey })

  it('has a root that comes out of the builder as AMD signed it', () => {
    const [, ark] = chain()
    const product = productOfName(commonName(new X509Certificate(ark).subject)) as SnpProduct
    expect(signedPart(buildArk(pair(ark), product), { pssTrailer: false })).toBe(signedPart(ark, { pssTrailer: false }))
  })

  it('has an intermediate that comes out of the builder as AMD signed it', () => {
    const [issuing, ark] = chain()
    const product = productOfName(commonName(new X509Certificate(ark).subject)) as SnpProduct
    const build = file.includes('vlek') ? buildAsvk : buildAsk
    const built = build(publicKeyOf(issuing), pair(ark), product)
    expect(signedPart(built, { pssTrailer: false })).toBe(signedPart(issuing, { pssTrailer: false }))
  })
})
