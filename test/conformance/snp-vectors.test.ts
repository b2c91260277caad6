import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  decodeBase64,
  decodeReport,
  decodeSnpAttestRequest,
  decodeTcb,
  decodeUvmEndorsement,
  decodeVcekExtensions,
  encodeBase64,
  encodeHex,
  encodeReport,
  encodeTcb,
  hostDataOfCcePolicy,
  parseThimCertification,
  pemToDer,
  productOfReport,
  reportSignature,
  type SnpProduct,
  type SnpReport,
  setReportSignature,
  snpClaims,
  tcbFromHex,
  tcbToHex,
} from '@skerry/guest/wire'
import { decodeJwt } from 'jose'
import { describe, expect, it } from 'vitest'
import { readCertificate } from '../../emulator/src/maa/evidence/certificates.ts'
import { checkRoot, verifyChain } from '../../emulator/src/maa/evidence/chain.ts'
import { readReport, verifyReport } from '../../emulator/src/maa/evidence/report.ts'
import { AMD_ROOTS, MICROSOFT_UVM_ENDORSER } from '../../emulator/src/maa/evidence/trust.ts'
import { judgeEndorsements, readEndorsement } from '../../emulator/src/maa/evidence/uvm.ts'
import { keyIdOf } from '../../emulator/src/maa/signing-key.ts'

/*
 * Real bytes: reports of AMD processors with the certificates that endorse them, Microsoft's endorsements of its utility
 * VM, requests and tokens of Azure Attestation. They lie beside the repository, if at all.
 */
const VECTORS = fileURLToPath(new URL('../../../shared/vectors/snp/', import.meta.url))
const present = existsSync(VECTORS)
if (!present) console.log('skipped: the SEV-SNP vectors are not beside this checkout (../shared/vectors/snp)')

interface Expected {
  readonly product?: SnpProduct
  readonly vek_product_ext?: string
  readonly vek_spl?: Record<string, number>
  readonly uvm?: {
    readonly iss: string
    readonly feed: string
    readonly payload?: Record<string, unknown>
    readonly signingtime?: number
  }
  readonly [field: string]: unknown
}

const bytesOf = (folder: string, file: string) => new Uint8Array(readFileSync(`${VECTORS}${folder}/${file}`))
const textOf = (folder: string, file: string) => readFileSync(`${VECTORS}${folder}/${file}`, 'utf8')
const has = (folder: string, file: string) => existsSync(`${VECTORS}${folder}/${file}`)
const expectedOf = (folder: string) => JSON.parse(textOf(folder, 'expected.json')) as Expected
const foldersWith = (file: string) => (present ? readdirSync(VECTORS).filter((folder) => has(folder, file)) : [])

const withReport = foldersWith('report.bin')
const withEndorsement = foldersWith('uvm-reference-info.cose')

/** The fields of a report under the names of expected.json. */
function fieldsOf(report: SnpReport): Record<string, unknown> {
  const version = ({ major, minor, build }: SnpReport['current']) => `${major}.${minor}.${build}`
  const cpuid = [report.cpuidFamily, report.cpuidModel, report.cpuidStepping].map((part) => part ?? 0)
  return {
    version: report.version,
    guest_svn: report.guestSvn,
    policy: `0x${report.policy.toString(16)}`,
    family_id: encodeHex(report.familyId),
    image_id: encodeHex(report.imageId),
    vmpl: report.vmpl,
    sig_algo: report.signatureAlgo,
    current_tcb: encodeHex(report.currentTcb),
    platform_info: `0x${report.platformInfo.toString(16)}`,
    key_info: `0x${report.keyInfo.toString(16)}`,
    report_data: encodeHex(report.reportData),
    measurement: encodeHex(report.measurement),
    host_data: encodeHex(report.hostData),
    id_key_digest: encodeHex(report.idKeyDigest),
    author_key_digest: encodeHex(report.authorKeyDigest),
    report_id: encodeHex(report.reportId),
    report_id_ma: encodeHex(report.reportIdMa),
    reported_tcb: encodeHex(report.reportedTcb),
    reported_tcb_u64: tcbToHex(report.reportedTcb).toLowerCase(),
    cpuid: encodeHex(Uint8Array.from(cpuid)),
    chip_id: encodeHex(report.chipId),
    committed_tcb: encodeHex(report.committedTcb),
    cur_ver: version(report.current),
    com_ver: version(report.committed),
    launch_tcb: encodeHex(report.launchTcb),
    launch_mit: `0x${(report.launchMitVector ?? 0n).toString(16)}`,
    cur_mit: `0x${(report.currentMitVector ?? 0n).toString(16)}`,
  }
}

/** Leaf, intermediate, root: the folder's own leaf, and AMD's CA certificates for its product. */
function chainOf(folder: string, product: SnpProduct): string {
  const vlek = has(folder, 'vlek.pem')
  const authorities = `${product.toLowerCase()}${vlek ? '-vlek' : ''}-cert_chain.pem`
  return `${textOf(folder, vlek ? 'vlek.pem' : 'vcek.pem')}\n${textOf('13-amd-ca', authorities)}`
}

const productOf = (folder: string) => String(expectedOf(folder).product).split(/[ -]/)[0] as SnpProduct

describe.skipIf(!present).each(withReport)('the report of %s', (folder) => {
  const bytes = () => bytesOf(folder, 'report.bin')

  it('decodes to the expected fields and encodes back to the same bytes', () => {
    const report = decodeReport(bytes())
    const expected = expectedOf(folder)
    for (const [field, value] of Object.entries(fieldsOf(report))) {
      if (field in expected) expect([field, value]).toEqual([field, expected[field]])
    }
    const again = encodeReport(report)
    setReportSignature(again, reportSignature(bytes()))
    expect(encodeHex(again)).toBe(encodeHex(bytes()))
  })

  it('is of the product that its certificate names, at the TCB that its certificate has', () => {
    const report = decodeReport(bytes())
    const product = productOf(folder)
    if (report.version >= 3) expect(productOfReport(report)).toBe(product)
    const { tcb, productName, hwid } = decodeVcekExtensions(pemToDer(chainOf(folder, product))[0]!)
    const { vek_spl: levels, vek_product_ext: name } = expectedOf(folder)
    expect(productName).toBe(name)
    expect(tcb).toMatchObject({ bootLoader: levels?.bl, tee: levels?.tee, snp: levels?.snp, microcode: levels?.ucode })
    expect(tcb).toEqual(decodeTcb(report.reportedTcb, product))
    expect(encodeHex(encodeTcb(tcb, product))).toBe(encodeHex(report.reportedTcb))
    if (hwid !== undefined) expect(encodeHex(report.chipId)).toBe(encodeHex(hwid).padEnd(128, '0'))
  })

  it("is verified up to AMD's own root", async () => {
    const product = productOf(folder)
    const chain = verifyChain(chainOf(folder, product), readCertificate)
    expect([...chain.checks, checkRoot(chain, AMD_ROOTS)].filter(({ met }) => !met)).toEqual([])
    expect(chain.product).toBe(product)
    const { report } = readReport(bytes())
    const checks = await verifyReport(bytes(), report!, chain)
    expect(checks.filter(({ met }) => !met)).toEqual([])
    expect(checks.map(({ name }) => name)).toContain('report.signature')
  })

  it('is refused once a single signed bit differs', async () => {
    const altered = bytes()
    altered[0xc0]! ^= 1
    const chain = verifyChain(chainOf(folder, productOf(folder)), readCertificate)
    const checks = await verifyReport(altered, readReport(altered).report!, chain)
    expect(checks.filter(({ met }) => !met).map(({ name }) => name)).toEqual(['report.signature'])
  })
})

describe.skipIf(!present).each(withEndorsement)('the UVM endorsement of %s', (folder) => {
  it('is Microsoft’s, and of the image that the report measures', async () => {
    const cose = bytesOf(folder, 'uvm-reference-info.cose')
    const endorsement = decodeUvmEndorsement(cose)
    const { uvm } = expectedOf(folder)
    expect(endorsement).toMatchObject({ issuer: uvm?.iss, feed: uvm?.feed, alg: -38, form: 'json' })
    if (uvm?.payload !== undefined) expect(endorsement.payloadJson).toEqual(uvm.payload)
    if (uvm?.signingtime !== undefined) expect(endorsement.signedAt).toBe(uvm.signingtime)
    expect(encodeHex(endorsement.launchMeasurement)).toBe(
      encodeHex(decodeReport(bytesOf(folder, 'report.bin')).measurement),
    )
    const judged = judgeEndorsements(
      [await readEndorsement(cose)],
      [MICROSOFT_UVM_ENDORSER],
      endorsement.launchMeasurement,
    )
    expect(judged.checks.filter(({ met }) => !met)).toEqual([])
    expect(judged.endorsement).toEqual(endorsement)
  })
})

describe.skipIf(!present)('the hash-envelope endorsement', () => {
  it('verifies as the JSON form does', async () => {
    const cose = bytesOf('11-uvm-transparent-svn104', 'transparent-reference-info.cose')
    const endorsement = decodeUvmEndorsement(cose)
    expect(endorsement).toMatchObject({ form: 'hashEnvelope', svn: 104, ...MICROSOFT_UVM_ENDORSER })
    const judged = judgeEndorsements(
      [await readEndorsement(cose)],
      [MICROSOFT_UVM_ENDORSER],
      endorsement.launchMeasurement,
    )
    expect(judged.checks.filter(({ met }) => !met)).toEqual([])
    expect(judged.endorsement).toEqual(endorsement)
  })
})

describe.skipIf(!present)('host data, THIM and claims', () => {
  it.each(foldersWith('security-policy.rego'))('%s: SHA-256 of the CCE policy is the host data', async (folder) => {
    const policy = encodeBase64(bytesOf(folder, 'security-policy.rego'))
    const { hostData } = await hostDataOfCcePolicy(policy)
    expect(encodeHex(hostData)).toBe(encodeHex(decodeReport(bytesOf(folder, 'report.bin')).hostData))
  })

  it.each(foldersWith('thim.json'))('%s: tcbm of THIM is the reported TCB', (folder) => {
    const { tcbm } = parseThimCertification(JSON.parse(textOf(folder, 'thim.json')))
    const { reportedTcb } = decodeReport(bytesOf(folder, 'report.bin'))
    expect(encodeHex(tcbFromHex(tcbm))).toBe(encodeHex(reportedTcb))
    expect(tcbToHex(reportedTcb)).toBe(tcbm)
  })

  it('09: the claims of a real token are those of its report', () => {
    const folder = '09-maa-token-pair-milan-v2'
    const request = decodeSnpAttestRequest(textOf(folder, 'request.json'))
    const token = decodeJwt(textOf(folder, 'token.jwt').trim()) as Record<string, unknown>
    for (const [name, value] of Object.entries(snpClaims(decodeReport(request.report), 'Milan'))) {
      expect([name, token[name]]).toEqual([name, value])
    }
  })

  it('the fake reports of machines without a device parse, and are version 1, which no verifier takes', () => {
    for (const file of ['fake-sidecar-go.bin', 'fake-tool-c.bin']) {
      const { checks } = readReport(bytesOf('12-fake-reports', file))
      expect(checks.filter(({ met }) => !met).map(({ name }) => name)).toContain('report.version')
    }
  })

  it('15: the kid of a real JWKS comes out of its certificate, which carries others in PEM', () => {
    const { keys } = JSON.parse(textOf('15-sgx', 'maa-certs-response.json')) as {
      keys: { kid: string; x5c: string[] }[]
    }
    const own = keys.filter(({ x5c }) => x5c.length === 1)
    expect(own.length).toBeGreaterThan(0)
    for (const { kid, x5c } of own) {
      expect(keyIdOf(readCertificate(decodeBase64(x5c[0]!)).publicKey)).toBe(kid)
    }
  })
})
