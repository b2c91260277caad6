import { decodeUvmEndorsement, derToPem, encodeUtf8, pemToDer } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { bodyWith, bytesOf, encodeText, type Parts, partsOf, present, provider, textOf } from './evidence/vectors.ts'

/*
 * The sidecar's real request with one thing changed: the journal names what is wrong with it and nothing else, the caller
 * is told as little as by Azure. What is signed cannot be changed without breaking its signature: that is named, too.
 */
if (!present) console.log('skipped: the SEV-SNP vectors are not beside this checkout (../shared/vectors/snp)')

const SENT = '2025-10-01T00:00:00Z'
const real = present ? partsOf() : (undefined as unknown as Parts)

const at = (bytes: Uint8Array, offset: number, ...values: number[]) => {
  const copy = Uint8Array.from(bytes)
  copy.set(values, offset < 0 ? copy.length + offset : offset)
  return copy
}
const flipped = (bytes: Uint8Array, offset: number) => at(bytes, offset, bytes.at(offset)! ^ 1)
const report = (offset: number, ...values: number[]): Partial<Parts> => ({
  report: values.length === 0 ? flipped(real.report, offset) : at(real.report, offset, ...values),
})
const pem = (change: (ders: Uint8Array[]) => readonly Uint8Array[]): Partial<Parts> => ({
  pem: change([...pemToDer(real.pem)])
    .map((der) => derToPem(der))
    .join(''),
})
const flippedIn = (index: number, offset: number) =>
  pem((ders) => ders.map((der, place) => (place === index ? flipped(der, offset) : der)))
const cose = (change: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array): Partial<Parts> => ({
  cose: new Uint8Array(change(real.cose)),
})
/** One bit of the endorsement, where this part of it begins. */
const coseAt = (part: 'payload' | 'signature' | 'protectedBytes', more: number) =>
  cose((bytes) => flipped(bytes, Buffer.from(bytes).indexOf(decodeUvmEndorsement(bytes)[part]) + more))
const runtimeData = (change: Record<string, unknown>): Partial<Parts> => ({
  outer: { runtimeData: { ...(real.outer.runtimeData as object), ...change } },
})

type Case = readonly [what: string, unmet: readonly string[], change: () => Partial<Parts>]

const BODY: readonly Case[] = [
  ['no report', ['request/report'], () => ({ outer: { report: undefined } })],
  ['a report that is a number', ['request/report'], () => ({ outer: { report: 1 } })],
  ['a report in the standard alphabet', ['request/report'], () => ({ outer: { report: 'ab+/' } })],
  ['a report that holds no JSON', ['request/report'], () => ({ outer: { report: encodeText('no JSON') } })],
  ['a report that holds a JSON array', ['request/report'], () => ({ outer: { report: encodeText('[]') } })],
  ['no SnpReport', ['request/report/SnpReport'], () => ({ inner: { SnpReport: undefined } })],
  ['an SnpReport with a blank', ['request/report/SnpReport'], () => ({ inner: { SnpReport: 'AA AA' } })],
  ['no VcekCertChain', ['request/report/VcekCertChain'], () => ({ inner: { VcekCertChain: undefined } })],
  [
    'a VcekCertChain that is bare PEM',
    ['request/report/VcekCertChain'],
    () => ({ inner: { VcekCertChain: real.pem } }),
  ],
  [
    'Endorsements that are no JSON',
    ['request/report/Endorsements'],
    () => ({ inner: { Endorsements: encodeText('{') } }),
  ],
  [
    'Endorsements whose Uvm is no array',
    ['request/report/Endorsements/Uvm'],
    () => ({ inner: { Endorsements: encodeText('{"Uvm":""}') } }),
  ],
  [
    'Endorsements whose Uvm holds no base64url',
    ['request/report/Endorsements/Uvm/0'],
    () => ({ inner: { Endorsements: encodeText('{"Uvm":["*"]}') } }),
  ],
  ['runtime data that is a text', ['request/runtimeData'], () => ({ outer: { runtimeData: 'text' } })],
  ['runtime data of an unknown type', ['request/runtimeData/dataType'], () => runtimeData({ dataType: 'CBOR' })],
  ['runtime data without a type', ['request/runtimeData/dataType'], () => runtimeData({ dataType: '' })],
  ['runtime data that is no base64url', ['request/runtimeData/data'], () => runtimeData({ data: '{}' })],
  ['a nonce that is a list', ['request/nonce'], () => ({ outer: { nonce: [] } })],
  ['a nonce with a fraction', ['request/nonce'], () => ({ outer: { nonce: 1.5 } })],
  ['a nonce below zero', ['request/nonce'], () => ({ outer: { nonce: -1 } })],
]

const REPORT: readonly Case[] = [
  ['a byte less', ['report.size'], () => ({ report: real.report.slice(0, -1) })],
  ['a byte more', ['report.size'], () => ({ report: new Uint8Array([...real.report, 0]) })],
  ['version 1', ['report.reserved', 'report.signature'], () => report(0, 1)],
  ['version 2, which has no cpuid', ['report.reserved', 'report.signature'], () => report(0, 2)],
  ['version 5, whose mitigation vectors are zero', ['report.signature'], () => report(0, 5)],
  ['version 6', ['report.version', 'report.signature'], () => report(0, 6)],
  ['guest_svn', ['report.signature'], () => report(0x04)],
  ['bit 17 of the policy', ['report.policy', 'report.signature'], () => report(0x0a, 0x01)],
  ['debugging allowed by the policy', ['report.signature'], () => report(0x0a, 0x0b)],
  ['family_id', ['report.signature'], () => report(0x10)],
  ['image_id', ['report.signature'], () => report(0x20)],
  ['vmpl', ['report.signature'], () => report(0x30)],
  ['signature_algo', ['report.signatureAlgo', 'report.signature'], () => report(0x34, 2)],
  ['current_tcb', ['report.signature'], () => report(0x38)],
  ['platform_info', ['report.signature'], () => report(0x40)],
  ['the signing key of key_info: VLEK', ['report.signingKey', 'report.signature'], () => report(0x48, 4)],
  ['the signing key of key_info: none', ['report.signingKey', 'report.signature'], () => report(0x48, 0x1c)],
  ['a reserved bit of key_info', ['report.keyInfo', 'report.signature'], () => report(0x48, 0x20)],
  ['a reserved byte', ['report.reserved', 'report.signature'], () => report(0x4c, 1)],
  ['report_data', ['report.signature', 'report.reportData'], () => report(0x50)],
  ['the second half of report_data', ['report.signature', 'report.reportData'], () => report(0x8f)],
  ['the measurement', ['report.signature', 'uvm.launchMeasurement'], () => report(0x90)],
  ['host_data', ['report.signature'], () => report(0xc0)],
  ['id_key_digest', ['report.signature'], () => report(0xe0)],
  ['author_key_digest', ['report.signature'], () => report(0x110)],
  ['report_id', ['report.signature'], () => report(0x140)],
  ['report_id_ma', ['report.signature'], () => report(0x160)],
  ['the boot loader of reported_tcb', ['report.signature', 'vcek.tcb'], () => report(0x180)],
  ['the microcode of reported_tcb', ['report.signature', 'vcek.tcb'], () => report(0x187)],
  ['the model: a Genoa', ['report.product', 'report.signature'], () => report(0x189, 0x11)],
  ['chip_id', ['report.signature', 'vcek.hwid'], () => report(0x1a0)],
  ['committed_tcb', ['report.signature'], () => report(0x1e0)],
  ['launch_tcb', ['report.signature'], () => report(0x1f0)],
  ['a byte after the fields', ['report.reserved', 'report.signature'], () => report(0x29f, 1)],
  ['R of the signature', ['report.signature'], () => report(0x2a0)],
  ['a byte above R', ['report.signature'], () => report(0x2d0, 1)],
  ['S of the signature', ['report.signature'], () => report(0x2e8)],
  ['a byte after the signature', ['report.signature'], () => report(0x49f, 1)],
]

const CHAIN: readonly Case[] = [
  ['none', ['request/report/VcekCertChain'], () => ({ inner: { VcekCertChain: '' } })],
  ['text without certificates', ['certificates'], () => ({ pem: 'no certificate' })],
  ['without the root', ['certificates'], () => pem((ders) => ders.slice(0, 2))],
  ['with the root twice', ['certificates'], () => pem((ders) => [...ders, ders[2]!])],
  ['root first', ['certificates'], () => pem((ders) => ders.reverse())],
  ['a block that is cut short', ['certificates'], () => ({ pem: real.pem.slice(0, -40) })],
  [
    'ASK and ARK in the wrong order',
    [
      'certificates.names',
      'certificates.leafSignature',
      'certificates.askSignature',
      'certificates.arkSignature',
      'certificates.ark',
    ],
    () => pem(([vcek, ask, ark]) => [vcek!, ark!, ask!]),
  ],
  ['a bit of the VCEK’s signature', ['certificates.leafSignature'], () => flippedIn(0, -1)],
  ['a bit of the ASK’s signature', ['certificates.askSignature'], () => flippedIn(1, -1)],
  ['a bit of the ARK’s signature', ['certificates.arkSignature'], () => flippedIn(2, -1)],
  [
    'the VCEK of another chip',
    ['report.signature', 'vcek.hwid'],
    () => pem(([, ask, ark]) => [pemToDer(textOf('05-azcache-milan-v3', 'vcek.pem'))[0]!, ask!, ark!]),
  ],
  [
    'ASK and ARK of Genoa',
    ['certificates.names', 'certificates.profile', 'certificates.leafSignature', 'report.product'],
    () => ({ pem: textOf('02-maa-request-milan-v3-svn103', 'vcek.pem') + textOf('13-amd-ca', 'genoa-cert_chain.pem') }),
  ],
  [
    'the issuer of VLEKs',
    ['certificates.names', 'certificates.leafSignature'],
    () => ({
      pem: textOf('02-maa-request-milan-v3-svn103', 'vcek.pem') + textOf('13-amd-ca', 'milan-vlek-cert_chain.pem'),
    }),
  ],
]

const DATA: readonly Case[] = [
  [
    'runtime data with a blank more',
    ['report.reportData'],
    () =>
      runtimeData({
        data: encodeText(`${Buffer.from(String((real.outer.runtimeData as { data: string }).data), 'base64url')} `),
      }),
  ],
  [
    'runtime data that is not JSON',
    ['runtimeData.json', 'report.reportData'],
    () => runtimeData({ data: encodeText('not JSON') }),
  ],
  [
    'init time data that the guest was not launched with',
    ['report.hostData'],
    () => ({ outer: { initTimeData: { data: encodeText('{}'), dataType: 'JSON' } } }),
  ],
]

const ENDORSEMENT: readonly Case[] = [
  ['that is no CBOR', ['uvm'], () => cose(() => encodeUtf8('no CBOR'))],
  ['without its tag', ['uvm'], () => cose((bytes) => bytes.slice(1))],
  ['with a byte more', ['uvm'], () => cose((bytes) => new Uint8Array([...bytes, 0]))],
  ['a bit of the endorsed measurement', ['uvm.signature', 'uvm.launchMeasurement'], () => measurementBit()],
  ['a bit of its signature', ['uvm.signature'], () => coseAt('signature', 0)],
  [
    'of another image',
    ['uvm.launchMeasurement'],
    () => ({ cose: bytesOf('01-aci-milan-v2-e2e', 'uvm-reference-info.cose') }),
  ],
  [
    'of another image, in the other form',
    ['uvm.launchMeasurement'],
    () => ({ cose: bytesOf('11-uvm-transparent-svn104', 'transparent-reference-info.cose') }),
  ],
  [
    'whose feed is another',
    ['uvm.signature', 'uvm.feed'],
    () => cose((bytes) => at(bytes, Buffer.from(bytes).indexOf('ContainerPlat-AMD-UVM'), 0x63)),
  ],
  [
    'whose issuer names another purpose',
    ['uvm.signature', 'uvm.did', 'uvm.issuer'],
    () => cose((bytes) => at(bytes, Buffer.from(bytes).indexOf('76.59.1.2') + 8, 0x33)),
  ],
  [
    'whose leaf was altered',
    ['uvm.x5chain', 'uvm.signature', 'uvm.x5t'],
    () =>
      cose((bytes) => {
        const leaf = decodeUvmEndorsement(bytes).x5chain[0]!
        return flipped(bytes, Buffer.from(bytes).indexOf(leaf) + leaf.length - 1)
      }),
  ],
]

/** A hexadecimal digit of the payload; it stays one. */
function measurementBit(): Partial<Parts> {
  const name = '"x-ms-sevsnpvm-launchmeasurement"'
  const payload = Buffer.from(decodeUvmEndorsement(real.cose).payload).toString()
  const digit = payload.indexOf('"', payload.indexOf(name) + name.length) + 1
  return cose((bytes) => {
    const place = Buffer.from(bytes).indexOf(payload) + digit
    return at(bytes, place, bytes[place] === 0x61 ? 0x62 : 0x61)
  })
}

const WORDS: Readonly<Record<string, string>> = {
  evidence: 'The SEV-SNP attestation evidence is invalid.',
  request: 'The request body is invalid.',
}

describe.skipIf(!present).each([
  ['the body', BODY],
  ['the report', REPORT],
  ['the certificates', CHAIN],
  ['runtime and init time data', DATA],
  ['the endorsement', ENDORSEMENT],
] as const)('a real request with one thing changed in %s', (_, cases) => {
  it.each(cases)('%s', async (_, unmet, change) => {
    const asked = await provider(SENT).ask(bodyWith(real, change()))
    expect(asked.unmet).toEqual(unmet)
    const pair = {
      code: 'InvalidParameter',
      message: unmet[0]!.startsWith('request/') ? WORDS.request : WORDS.evidence,
    }
    expect([asked.status, asked.body]).toEqual([400, { error: { ...pair, innererror: pair } }])
  })
})

describe.skipIf(!present)('a real request at another time', () => {
  it.each([
    ['before the VCEK was made', '2020-11-01T00:00:00Z'],
    ['when its certificates have expired', '2050-01-01T00:00:00Z'],
  ])('%s', async (_, time) => {
    const asked = await provider(time).ask(bodyWith(real, {}))
    expect([asked.status, asked.unmet]).toEqual([400, ['certificates.validity']])
  })
})

describe.skipIf(!present)('a real request that is written otherwise is the same request', () => {
  const again: readonly (readonly [string, () => Partial<Parts>])[] = [
    ['as it was sent', () => ({})],
    ['without padding', () => ({ report: real.report, pem: real.pem, cose: real.cose })],
    ['with CRLF in the certificates', () => ({ pem: real.pem.replace(/\r?\n/g, '\r\n') })],
    ['with text between the certificates', () => ({ pem: real.pem.replace(/-----BEGIN/g, 'subject=AMD\n-----BEGIN') })],
    [
      'with an inner object that is indented',
      () => ({ outer: { report: encodeText(JSON.stringify(real.inner, null, 2)) } }),
    ],
    ['with a dataType in lower case', () => runtimeData({ dataType: 'json' })],
    ['without init time data', () => ({ outer: { initTimeData: undefined } })],
    ['without a nonce', () => ({ outer: { nonce: undefined } })],
    ['with members that nobody knows', () => ({ outer: { more: 1 }, inner: { more: 1 } })],
    ['without a time stamp in the endorsement', () => cose(withoutTimestamp)],
  ]
  it.each(again)('%s', async (_, change) => {
    const asked = await provider(SENT).ask(bodyWith(real, change()))
    expect([asked.status, asked.unmet]).toEqual([200, []])
  })
})

/** The unprotected header holds that one member: an empty map takes its place. */
function withoutTimestamp(bytes: Uint8Array): Uint8Array {
  const { protectedBytes, payload } = decodeUvmEndorsement(bytes)
  const whole = Buffer.from(bytes)
  const end = whole.indexOf(protectedBytes) + protectedBytes.length
  const body = whole.indexOf(payload)
  // A byte string of up to 255 bytes has a head of two.
  return Buffer.concat([whole.subarray(0, end), Uint8Array.of(0xa0), whole.subarray(body - 2)])
}
