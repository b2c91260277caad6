import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { coseAlgorithm, decodeCoseSign1 } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { readCertificate } from '../../emulator/src/maa/evidence/certificates.ts'
import { isSignedByKey } from '../../emulator/src/maa/evidence/cose-signature.ts'
import { resolveDidX509 } from '../../emulator/src/maa/evidence/did-x509.ts'
import { MICROSOFT_UVM_ENDORSER } from '../../emulator/src/maa/evidence/trust.ts'
import { judgeEndorsements, readEndorsement } from '../../emulator/src/maa/evidence/uvm.ts'

/*
 * COSE_Sign1 messages of Microsoft's signers (github.com/microsoft/cosesign1go) and two of the reference signer, beside the
 * repository if at all: what they are signed with, by whom, and which of them is an endorsement of a utility VM.
 */
const VECTORS = fileURLToPath(new URL('../../../shared/vectors/aci/cose/', import.meta.url))
const present = existsSync(VECTORS)
if (!present) console.log('skipped: the COSE vectors are not beside this checkout (../shared/vectors/aci/cose)')

const CONTOSO = 'did:x509:0:sha256:CViuTofYdcfwAuW24lWsbFk984k43ax9VMW76GkRzQE'
const MESSAGES = [
  ['upstream/esrp.test.cose', 'ES384', /::subject:CN:Gen%20Purpose/, 'protected'],
  ['upstream/aci-cc-ttl.ttl.cose', 'ES384', /::eku:1\.3\.6\.1\.4\.1\.311\.10\.3\.13$/, 'protected.3'],
  ['upstream/esrp_transparent_hash_envelop.cose', 'PS384', new RegExp(MICROSOFT_UVM_ENDORSER.issuer), undefined],
  ['upstream/esrp_with_grafted_receipt.cose', 'PS384', new RegExp(MICROSOFT_UVM_ENDORSER.issuer), undefined],
  [
    'made/side.rego.cose',
    'ES384',
    new RegExp(`${CONTOSO}::subject:CN:Contoso%20Frag%20%28test%29`.replace(/[()]/g, '.')),
    'protected.3',
  ],
  ['made/side-eku.rego.cose', 'ES384', new RegExp(`${CONTOSO}::eku:1.3.6.1.4.1.311.76.59.1.3`), 'protected.3'],
] as const

const bytesOf = (file: string) => new Uint8Array(readFileSync(`${VECTORS}${file}`))
const messageOf = (file: string) => decodeCoseSign1(bytesOf(file), 'ERR_TEST')
/** In a text header, or in the CWT claims. */
const issuerOf = ({ protectedHeader }: ReturnType<typeof messageOf>) =>
  String(protectedHeader.get('iss') ?? (protectedHeader.get(15) as Map<number, unknown>).get(1))

describe.skipIf(!present).each(MESSAGES)('%s', (file, algorithm, issuer) => {
  it(`is signed with ${algorithm} by its leaf`, () => {
    const message = messageOf(file)
    const key = readCertificate(message.x5chain[0]!).publicKey
    expect(coseAlgorithm(message.alg)?.name).toBe(algorithm)
    expect(isSignedByKey(message, key)).toBe(true)
    const payload = Uint8Array.from(message.payload)
    payload[0]! ^= 1
    expect(isSignedByKey({ ...message, payload }, key)).toBe(false)
  })

  it('is of an issuer whose DID resolves to its leaf’s key', async () => {
    const { x5chain, ...message } = messageOf(file)
    const did = issuerOf({ ...message, x5chain })
    expect(did).toMatch(issuer)
    const { verificationMethod } = await resolveDidX509(did, x5chain)
    const jwk = readCertificate(x5chain[0]!).publicKey.export({ format: 'jwk' })
    expect(verificationMethod[0]?.publicKeyJwk).toEqual(jwk)
  })
})

describe.skipIf(!present)('an endorsement of a utility VM', () => {
  it.each(MESSAGES.filter(([, , , at]) => at === undefined).map(([file]) => file))(
    'is %s, whatever receipt it carries: a receipt is in the unprotected header, and no part of the statement',
    async (file) => {
      const reading = await readEndorsement(bytesOf(file))
      const { checks, endorsement } = judgeEndorsements(
        [reading],
        [MICROSOFT_UVM_ENDORSER],
        reading.endorsement?.launchMeasurement,
      )
      expect(checks.filter(({ met }) => !met)).toEqual([])
      expect(endorsement).toMatchObject({ form: 'hashEnvelope', svn: 104 })
    },
  )

  it.each(MESSAGES.filter(([, , , at]) => at !== undefined).map(([file]) => file))('is not %s', async (file) => {
    const { checks } = await readEndorsement(bytesOf(file))
    expect(checks).toMatchObject([{ name: 'uvm', met: false }])
  })
})
