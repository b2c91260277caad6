import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import {
  decodeBase64,
  decodeBase64Url,
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
  matchDidX509,
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
import { manualClock } from '../../emulator/src/core/index.ts'
import { createTestContext } from '../../emulator/src/core/test-context.ts'
import { pathFault } from '../../emulator/src/maa/evidence/certificate-path.ts'
import { readCertificate } from '../../emulator/src/maa/evidence/certificates.ts'
import { verifyChain } from '../../emulator/src/maa/evidence/chain.ts'
import { readReport, verifyReport } from '../../emulator/src/maa/evidence/report.ts'
import { isVerified, verifyEndorsement } from '../../emulator/src/maa/evidence/uvm.ts'
import { createMaaService } from '../../emulator/src/maa/index.ts'
import { keyIdOf } from '../../emulator/src/maa/signing-key.ts'

/*
 * Real bytes: reports of AMD processors with the certificates that endorse them, Microsoft's endorsements of its utility
 * VM, requests and tokens of Azure Attestation. They lie beside the repository, if at all.
 */
const VECTORS = fileURLToPath(new URL('../../../shared/vectors/snp/', import.meta.url))
const present = existsSync(VECTORS)
if (!present) console.log('skipped: the SEV-SNP vectors are not beside this checkout (../shared/vectors/snp)')

/** AMD's root keys, SHA-256 of the SubjectPublicKeyInfo. */
const AMD_ROOTS = {
  Milan: '9f056bee44377e29308cb5ffa895bdfb62d18881fa6bed8d6f075b0204089cb9',
  Genoa: '429a69c9422aa258ee4d8db5fcda9c6470ef15f8cd5a9cebd6cbc7d90b863831',
  Turin: '4f125410563a2ab9a50356f9243f6fe0b6f73de98603f53f90339c70e9d7ad08',
} as const satisfies Record<SnpProduct, string>
const TRUSTED_ROOTS = new Set<string>(Object.values(AMD_ROOTS))

/** Who endorses the utility VM of confidential ACI in production. */
const MICROSOFT = {
  issuer: 'did:x509:0:sha256:I__iuL25oXEVFdTP_aBLx_eT1RPHbCQ_ECBQfYZpt9s::eku:1.3.6.1.4.1.311.76.59.1.2',
  feed: 'ContainerPlat-AMD-UVM',
}

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
    const chain = verifyChain(chainOf(folder, product), TRUSTED_ROOTS)
    expect(chain.checks.filter(({ met }) => !met)).toEqual([])
    expect(chain.checks.find(({ name }) => name === 'certificates.ark')?.found).toBe(AMD_ROOTS[product])
    const { report } = readReport(bytes())
    const checks = await verifyReport(bytes(), report!, chain)
    expect(checks.filter(({ met }) => !met)).toEqual([])
    expect(checks.map(({ name }) => name)).toContain('report.signature')
  })

  it('is refused once a single signed bit differs', async () => {
    const altered = bytes()
    altered[0xc0]! ^= 1
    const chain = verifyChain(chainOf(folder, productOf(folder)), TRUSTED_ROOTS)
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
    const verified = await verifyEndorsement(cose, [MICROSOFT])
    expect(verified.checks.filter(({ met }) => !met)).toEqual([])
    expect(isVerified(verified)).toBe(true)
  })
})

describe.skipIf(!present)('the hash-envelope endorsement', () => {
  it('verifies as the JSON form does', async () => {
    const cose = bytesOf('11-uvm-transparent-svn104', 'transparent-reference-info.cose')
    expect(decodeUvmEndorsement(cose)).toMatchObject({ form: 'hashEnvelope', svn: 104, ...MICROSOFT })
    expect((await verifyEndorsement(cose, [MICROSOFT])).checks.filter(({ met }) => !met)).toEqual([])
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

interface DidCase {
  readonly id: string
  readonly input: { readonly did: string; readonly chain: readonly string[] | string }
  readonly output: { readonly document?: unknown; readonly error?: string }
}

/** Name constraints are not evaluated: no chain of an endorsement has any. */
const NOT_COVERED = ['san-outside-permitted-subtree-is-rejected']

const didCases = (): DidCase[] => {
  if (!present) return []
  const file = JSON.parse(textOf('14-didx509', 'test-vectors-a.json')) as DidCase[] | Record<string, DidCase[]>
  const cases = Array.isArray(file) ? file : Object.values(file)[0]!
  return cases.filter(({ id }) => !NOT_COVERED.includes(id))
}

describe.skipIf(!present)('did:x509', () => {
  it.each(didCases().map(({ id, input, output }) => [id, input, output] as const))('%s', async (_, input, output) => {
    const chain = typeof input.chain === 'string' ? input.chain.split(',') : input.chain
    const ders = chain.map((text) => decodeBase64Url(text))
    const fault = await matchDidX509(input.did, ders).then(
      () => pathFault(ders.map(readCertificate)),
      (error: unknown) => String(error),
    )
    if (output.error === undefined) expect(fault).toBeUndefined()
    else expect(fault).toBeTypeOf('string')
  })
})

describe.skipIf(!present)('a provider that trusts AMD and Microsoft', () => {
  const FOLDER = '02-maa-request-milan-v3-svn103'
  const provider = (at: string | number) => {
    const world = createTestContext({ clock: manualClock(at) })
    world.use(
      createMaaService(world.ctx, {
        // Nothing of a virtual processor is trusted here, and so none is asked.
        psp: undefined as never,
        trust: { arkSpkiSha256: [...TRUSTED_ROOTS], uvm: [MICROSOFT] },
      }),
    )
    const url = 'https://sharedeus2.eus2.attest.azure.net/attest/SevSnpVM?api-version=2020-10-01'
    return { world, post: (body: string) => world.fetch(new Request(url, { method: 'POST', body })) }
  }

  it('attests the verbatim request of a real sidecar at its own date', async () => {
    const signedAt = decodeUvmEndorsement(bytesOf(FOLDER, 'uvm-reference-info.cose')).signedAt!
    const { post } = provider((signedAt + 24 * 3600) * 1000)
    const response = await post(textOf(FOLDER, 'request.json'))
    expect(response.status).toBe(200)
    const claims = decodeJwt(((await response.json()) as { token: string }).token)
    expect(claims).toMatchObject({
      nonce: '13202930541250959283',
      'x-ms-compliance-status': 'azure-compliant-uvm',
      'x-ms-sevsnpvm-hostdata': expectedOf(FOLDER).host_data,
      'x-ms-sevsnpvm-uvm-endorsement': expectedOf(FOLDER).uvm?.payload,
      'x-ms-runtime': JSON.parse(textOf(FOLDER, 'runtime-data.bin')),
    })
  })

  it('refuses it when a byte of the runtime data differs', async () => {
    const { world, post } = provider('2025-12-01T00:00:00Z')
    const request = JSON.parse(textOf(FOLDER, 'request.json')) as { runtimeData: { data: string } }
    const data = Buffer.from(`${Buffer.from(request.runtimeData.data, 'base64url')} `).toString('base64url')
    const response = await post(
      JSON.stringify({ ...request, nonce: undefined, runtimeData: { ...request.runtimeData, data } }),
    )
    expect(response.status).toBe(400)
    const unmet = world.ctx.journal
      .records()
      .at(-1)
      ?.conditions?.filter(({ met }) => !met)
    expect(unmet?.map(({ name }) => name)).toEqual(['report.reportData'])
  })
})
