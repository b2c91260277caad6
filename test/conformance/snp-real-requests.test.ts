import { certificateChainPem, encodeHex, encodeSnpAttestRequest, parseThimCertification } from '@skerry/guest/wire'
import { decodeJwt } from 'jose'
import { describe, expect, it } from 'vitest'
import {
  bodyWith,
  bytesOf,
  jsonOf,
  PRODUCTION,
  partsOf,
  present,
  provider,
  SIDECAR,
  TOKEN_PAIR,
  textOf,
} from './evidence/vectors.ts'

/*
 * Evidence of Azure's production, at its own date, before a provider of the emulator that trusts AMD and Microsoft: whole
 * requests as they were sent, and the claims of the answers member by member.
 */
if (!present) console.log('skipped: the SEV-SNP vectors are not beside this checkout (../shared/vectors/snp)')

interface Expected {
  readonly [field: string]: unknown
  readonly uvm: { readonly payload: Record<string, unknown>; readonly signingtime: number }
}

const claimsOf = (token: unknown) => decodeJwt(token as string) as Record<string, unknown>
const JTI = expect.stringMatching(/^[0-9a-f]{64}$/)
const DAY = 24 * 3600

describe.skipIf(!present)('the verbatim request of an official sidecar', () => {
  it('yields the documented claims, each with its value, and no other', async () => {
    const expected = jsonOf<Expected>(SIDECAR, 'expected.json')
    const now = expected.uvm.signingtime + DAY
    const { status, body, unmet } = await provider(now * 1000).ask(textOf(SIDECAR, 'request.json'))
    expect([status, unmet]).toEqual([200, []])
    expect(claimsOf(body.token)).toEqual({
      exp: now + 28_800,
      iat: now,
      iss: 'https://sharedeus2.eus2.attest.azure.net',
      jti: JTI,
      nbf: now,
      nonce: '13202930541250959283',
      'x-ms-attestation-type': 'sevsnpvm',
      'x-ms-compliance-status': 'azure-compliant-uvm',
      'x-ms-policy-hash': '9NY0VnTQ-IiBriBplVUpFbczcDaEBUwsiFYAzHu_gco',
      'x-ms-runtime': JSON.parse(textOf(SIDECAR, 'runtime-data.bin')),
      'x-ms-sevsnpvm-authorkeydigest': '00'.repeat(48),
      'x-ms-sevsnpvm-bootloader-svn': 4,
      'x-ms-sevsnpvm-familyId': '01'.padEnd(32, '0'),
      'x-ms-sevsnpvm-guestsvn': 2,
      'x-ms-sevsnpvm-hostdata': expected.sha256_policy,
      'x-ms-sevsnpvm-idkeydigest': expected.id_key_digest,
      'x-ms-sevsnpvm-imageId': '02'.padEnd(32, '0'),
      'x-ms-sevsnpvm-is-debuggable': false,
      'x-ms-sevsnpvm-launchmeasurement': expected.measurement,
      'x-ms-sevsnpvm-microcode-svn': 219,
      'x-ms-sevsnpvm-migration-allowed': false,
      'x-ms-sevsnpvm-reportdata': `${String(expected.sha256_runtime_data)}${'00'.repeat(32)}`,
      'x-ms-sevsnpvm-reportid': expected.report_id,
      'x-ms-sevsnpvm-smt-allowed': true,
      'x-ms-sevsnpvm-snpfw-svn': 24,
      'x-ms-sevsnpvm-tee-svn': 0,
      'x-ms-sevsnpvm-uvm-endorsement': expected.uvm.payload,
      'x-ms-sevsnpvm-vmpl': 0,
      'x-ms-ver': '1.0',
    })
  })

  it('is attested years later as well: the endorser’s certificate has expired, the statement has not', async () => {
    const { status, body } = await provider('2030-01-01T00:00:00Z').ask(textOf(SIDECAR, 'request.json'))
    expect(status).toBe(200)
    expect(claimsOf(body.token)).toHaveProperty('x-ms-compliance-status', 'azure-compliant-uvm')
  })

  it('without its endorsement is attested, and is no compliant utility VM', async () => {
    const parts = partsOf()
    const { status, body } = await provider('2025-10-01').ask(bodyWith(parts, { inner: { Endorsements: undefined } }))
    const claims = claimsOf(body.token)
    expect(status).toBe(200)
    expect(claims).not.toHaveProperty('x-ms-compliance-status')
    expect(claims).not.toHaveProperty('x-ms-sevsnpvm-uvm-endorsement')
  })

  it('is refused by a provider that trusts the emulator alone, as every provider does by default', async () => {
    const asked = await provider('2025-10-01', { trust: 'emulator', endorsers: [] }).ask(
      textOf(SIDECAR, 'request.json'),
    )
    expect([asked.status, asked.unmet]).toEqual([400, ['certificates.ark', 'uvm.issuer']])
  })

  it('is attested by one that trusts both', async () => {
    const asked = await provider('2025-10-01', { ...PRODUCTION, trust: 'both' }).ask(textOf(SIDECAR, 'request.json'))
    expect([asked.status, asked.unmet]).toEqual([200, []])
  })

  it('is refused by one that takes images only from a later security version on', async () => {
    const endorsers = PRODUCTION.endorsers.map((endorser) => ({ ...endorser, minimumSvn: 104 }))
    const asked = await provider('2025-10-01', { trust: 'amd', endorsers }).ask(textOf(SIDECAR, 'request.json'))
    expect([asked.status, asked.unmet]).toEqual([400, ['uvm.svn']])
  })
})

describe.skipIf(!present)('the request whose token the live service gave out', () => {
  it('yields that token again: every member, and the times', async () => {
    const real = jsonOf<Record<string, unknown>>(TOKEN_PAIR, 'token-payload.json')
    const { status, body } = await provider(Number(real.iat) * 1000).ask(
      textOf(TOKEN_PAIR, 'request.json'),
      new URL(String(real.iss)).hostname,
      '2022-08-01',
    )
    expect(status).toBe(200)
    expect(claimsOf(body.token)).toEqual({ ...real, jti: JTI })
  })
})

/** Leaf, intermediate, root. */
const chainOf = (folder: string, leaf: string, authorities: string) =>
  `${textOf(folder, leaf)}\n${textOf('13-amd-ca', authorities)}`

describe.skipIf(!present)('evidence of other production hosts', () => {
  it('01: a version 2 report of a Milan with what its THIM and its security context gave', async () => {
    const folder = '01-aci-milan-v2-e2e'
    const body = encodeSnpAttestRequest({
      report: bytesOf(folder, 'report.bin'),
      certificateChainPem: certificateChainPem(parseThimCertification(jsonOf(folder, 'thim.json'))),
      uvmEndorsements: [bytesOf(folder, 'uvm-reference-info.cose')],
      runtimeData: { data: bytesOf(folder, 'runtime-data.bin'), dataType: 'Binary' },
    })
    const asked = await provider('2023-03-01').ask(body)
    expect([asked.status, asked.unmet]).toEqual([200, []])
    const claims = claimsOf(asked.body.token)
    expect(claims).not.toHaveProperty('x-ms-runtime')
    expect(claims).toMatchObject({
      'x-ms-compliance-status': 'azure-compliant-uvm',
      'x-ms-sevsnpvm-microcode-svn': 115,
      'x-ms-sevsnpvm-uvm-endorsement': { 'x-ms-sevsnpvm-guestsvn': '22' },
    })
  })

  it('03: a version 5 report of a Turin, whose TCB has another order', async () => {
    const folder = '03-aci-turin-v5'
    const chain = chainOf(folder, 'vcek.pem', 'turin-cert_chain.pem')
    const asked = await provider('2026-06-01').ask(
      encodeSnpAttestRequest({ report: bytesOf(folder, 'report.bin'), certificateChainPem: chain }),
    )
    expect([asked.status, asked.unmet]).toEqual([200, []])
    expect(claimsOf(asked.body.token)).toMatchObject({
      'x-ms-sevsnpvm-bootloader-svn': 1,
      'x-ms-sevsnpvm-tee-svn': 1,
      'x-ms-sevsnpvm-snpfw-svn': 4,
      'x-ms-sevsnpvm-microcode-svn': 0x51,
    })
  })

  it.each([
    ['in the JSON form', '04-aci-genoa-v3-svn104', 'uvm-reference-info.cose', '6d6c3545'],
    [
      'in the hash-envelope form: of another image',
      '11-uvm-transparent-svn104',
      'transparent-reference-info.cose',
      undefined,
    ],
  ])('04: a Genoa with an endorsement %s', async (_, folder, file, measurement) => {
    const asked = await provider('2026-04-01').ask(
      encodeSnpAttestRequest({
        report: bytesOf('04-aci-genoa-v3-svn104', 'report.bin'),
        certificateChainPem: textOf('04-aci-genoa-v3-svn104', 'chain.pem'),
        uvmEndorsements: [bytesOf(folder, file)],
      }),
    )
    if (measurement === undefined) return expect(asked.unmet).toEqual(['uvm.launchMeasurement'])
    expect([asked.status, asked.unmet]).toEqual([200, []])
    const endorsement = claimsOf(asked.body.token)['x-ms-sevsnpvm-uvm-endorsement']
    expect(endorsement).toMatchObject({ 'x-ms-sevsnpvm-guestsvn': '104', 'x-ms-sevsnpvm-guestsvn-int': 104 })
    expect(endorsement).toHaveProperty('x-ms-sevsnpvm-launchmeasurement', expect.stringContaining(measurement))
  })

  it('07: a report signed by a VLEK, of VMPL 1, with a masked chip id', async () => {
    const folder = '07-vlek-milan-v3'
    const chain = chainOf(folder, 'vlek.pem', 'milan-vlek-cert_chain.pem')
    const report = bytesOf(folder, 'report.bin')
    const asked = await provider('2025-09-01').ask(encodeSnpAttestRequest({ report, certificateChainPem: chain }))
    expect([asked.status, asked.unmet]).toEqual([200, []])
    const claims = claimsOf(asked.body.token)
    // The levels are those of reported_tcb; the current microcode of this host is 0xdc.
    expect(claims).toMatchObject({ 'x-ms-sevsnpvm-vmpl': 1, 'x-ms-sevsnpvm-microcode-svn': 0xd9 })
    expect(claims['x-ms-sevsnpvm-reportdata']).toBe(encodeHex(report.subarray(0x50, 0x90)))
  })

  it('06: a guest that may be debugged says so', async () => {
    const folder = '06-kvm-milan-v2'
    const chain = chainOf(folder, 'vcek.pem', 'milan-cert_chain.pem')
    const report = bytesOf(folder, 'report.bin')
    const asked = await provider('2024-01-01').ask(encodeSnpAttestRequest({ report, certificateChainPem: chain }))
    expect(claimsOf(asked.body.token)).toHaveProperty('x-ms-sevsnpvm-is-debuggable', true)
  })

  it('12: what a sidecar makes up without a device is refused', async () => {
    const { pem } = partsOf()
    const report = bytesOf('12-fake-reports', 'fake-sidecar-go.bin')
    const asked = await provider('2025-10-01').ask(encodeSnpAttestRequest({ report, certificateChainPem: pem }))
    expect(asked.status).toBe(400)
    expect(asked.unmet).toEqual(expect.arrayContaining(['report.version', 'report.signature']))
  })
})
