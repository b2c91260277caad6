import { X509Certificate } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import {
  azCacheSource,
  type CertificateSource,
  collectEvidence,
  createCertificateCache,
  kdsSource,
  type SnpDevice,
} from '@skerry/guest'
import { decodeReport, parseThimCertification, type ThimCertification, tcbToHex } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'

/*
 * Real reports and their real certificates, as a guest puts evidence together: what belongs together is taken as it is, from
 * each source, and what does not is told before anybody is sent anything.
 */
const VECTORS = new URL('../../../shared/vectors/snp/', import.meta.url)
const present = existsSync(VECTORS)
if (!present) console.log('skipped: the SEV-SNP vectors are not beside this checkout (../shared/vectors/snp)')

const read = (file: string) => readFileSync(new URL(file, VECTORS))
const text = (file: string) => read(file).toString()
const REAL = [
  ['01-aci-milan-v2-e2e', 'vcek', 'Milan'],
  ['02-maa-request-milan-v3-svn103', 'vcek', 'Milan'],
  ['03-aci-turin-v5', 'vcek', 'Turin'],
  ['04-aci-genoa-v3-svn104', 'vcek', 'Genoa'],
  ['05-azcache-milan-v3', 'vcek', 'Milan'],
  ['07-vlek-milan-v3', 'vlek', 'Milan'],
] as const
type Name = (typeof REAL)[number][0]

const deviceWith = (name: Name): SnpDevice => ({
  getReport: async () => new Uint8Array(read(`${name}/report.bin`)),
  close: () => undefined,
})
const reportOf = (name: Name) => decodeReport(read(`${name}/report.bin`))
const certificatesOf = (name: Name, leaf = 'vcek', product = 'Milan'): ThimCertification => ({
  vcekCert: text(`${name}/${leaf}.pem`),
  tcbm: tcbToHex(reportOf(name).reportedTcb),
  certificateChain: text(`13-amd-ca/${product.toLowerCase()}-${leaf === 'vlek' ? 'vlek-' : ''}cert_chain.pem`),
  cacheControl: '',
})

/** How often the source was asked beside the evidence, or the error. */
async function collected(name: Name, initial: ThimCertification | undefined, source: CertificateSource) {
  let asked = 0
  const counted = {
    ...source,
    fetch: (report: Parameters<CertificateSource['fetch']>[0]) => {
      asked += 1
      return source.fetch(report)
    },
  }
  // On the day after the certificate was issued: a VLEK's lasts a year.
  const leaf = initial?.vcekCert ?? text(`${name}/vcek.pem`)
  const now = () => new X509Certificate(leaf).validFromDate.getTime() + 86_400_000
  const clock = { now, sleep: async () => undefined }
  const certificates = createCertificateCache({ source: counted, clock, ...(initial && { initial }) })
  const context = { device: async () => deviceWith(name), certificates, uvmEndorsements: [] }
  const evidence = await collectEvidence(context, { runtimeData: new Uint8Array() })
  return { asked, certification: evidence.certification }
}

const none: CertificateSource = { name: 'none', fetch: () => Promise.reject(new Error('asked for other certificates')) }

describe.skipIf(!present)('a real report', () => {
  it.each(REAL)('belongs to its certificates: %s (%s, %s)', async (name, leaf, product) => {
    await expect(collected(name, certificatesOf(name, leaf, product), none)).resolves.toMatchObject({ asked: 0 })
  })

  it('belongs to the certificates that the host gave with it', async () => {
    const thim = parseThimCertification(JSON.parse(text('01-aci-milan-v2-e2e/thim.json')))
    await expect(collected('01-aci-milan-v2-e2e', thim, none)).resolves.toMatchObject({ asked: 0 })
  })

  it("belongs to the answer of Azure's cache, at a microcode level above 127", async () => {
    const source = azCacheSource({ fetch: async () => new Response(read('05-azcache-milan-v3/azcache-response.pem')) })
    await expect(collected('05-azcache-milan-v3', undefined, source)).resolves.toMatchObject({ asked: 1 })
    expect(reportOf('05-azcache-milan-v3').reportedTcb.at(-1)).toBe(0xdb)
  })

  it.each(REAL.filter(([, leaf]) => leaf === 'vcek'))(
    "belongs to the answers of AMD's service: %s",
    async (name, leaf, product) => {
      const { vcekCert, certificateChain } = certificatesOf(name, leaf, product)
      const der = Buffer.from(vcekCert.replaceAll(/-----[^-]+-----/g, ''), 'base64')
      // Reports of version 2 do not name their product: another's name leads nowhere.
      const fetch = async (url: string) => {
        if (!url.includes(`/${product}/`)) return new Response(null, { status: 404 })
        return new Response(url.endsWith('/cert_chain') ? certificateChain : der)
      }
      await expect(collected(name, undefined, kdsSource({ fetch }))).resolves.toMatchObject({ asked: 1 })
    },
  )

  it.each([
    ['another chip and TCB', '02-maa-request-milan-v3-svn103', certificatesOf, '01-aci-milan-v2-e2e'],
    ['another product', '04-aci-genoa-v3-svn104', certificatesOf, '03-aci-turin-v5'],
  ] as const)(
    'does not belong to certificates of %s, whatever TCB they are said to be for',
    async (_what, name, make, other) => {
      const foreign = { ...make(other), tcbm: tcbToHex(reportOf(name).reportedTcb) }
      const source = { name: 'foreign', fetch: async () => foreign }
      await expect(collected(name, foreign, source)).rejects.toMatchObject({ code: 'ERR_TCB_MISMATCH' })
    },
  )
})
