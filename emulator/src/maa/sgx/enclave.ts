import { createHash, createPublicKey, type KeyObject, sign } from 'node:crypto'
import {
  concatBytes,
  decodeBase64Url,
  encodeOeReport,
  encodeSgxQuote,
  encodeSgxQuoteContent,
  encodeSgxReportBody,
  encodeUtf8,
  INTEL_QE_VENDOR_ID,
  SGX_CERTIFICATION_PCK_CHAIN,
  SGX_FLAG_DEBUG,
  SGX_FLAG_INIT,
  SGX_FLAG_KSS,
  SGX_FLAG_MODE64,
  type SgxReportBody,
} from '@skerry/guest/wire'
import { CURRENT_PLATFORM_TCB, QE_FLAGS, QE_MRSIGNER, QE_PRODUCT_ID, QE_SVN } from './own-collateral.ts'
import type { EnclaveOptions, PlatformTcb, QuotingPlatform, VirtualEnclave } from './types.ts'

/** x87, SSE and AVX state. */
const XFRM = 7n
/** What Intel's quoting enclave puts there: the numbers from 0 to 31. */
const QE_AUTH_DATA = Uint8Array.from({ length: 32 }, (_, index) => index)

const DEFAULT_MRENCLAVE = createHash('sha256').update('virtual enclave of Skerry').digest()
const DEFAULT_MRSIGNER = createHash('sha256').update('signer of the virtual enclave of Skerry').digest()

/** An enclave on a platform; its quotes are signed as those of Intel's quoting enclave are. */
export function createEnclave(platform: QuotingPlatform, options: EnclaveOptions = {}): VirtualEnclave {
  const { tcb = CURRENT_PLATFORM_TCB, qeSvn = QE_SVN } = options
  const quote = async (reportData: Uint8Array): Promise<Uint8Array<ArrayBuffer>> => {
    const report = { ...enclaveReport(options, tcb), reportData: padded(reportData) }
    const [pck, attestationKey, platformId] = await Promise.all([
      platform.pck(tcb),
      platform.attestationKey(),
      platform.platformId(),
    ])
    const content = encodeSgxQuoteContent({
      qeSvn,
      pceSvn: tcb.pceSvn,
      qeVendorId: INTEL_QE_VENDOR_ID,
      userData: concatBytes(platformId, new Uint8Array(4)),
      report,
    })
    const publicKey = pointOf(attestationKey)
    const binding = createHash('sha256').update(publicKey).update(QE_AUTH_DATA).digest()
    const qeReportBytes = encodeSgxReportBody({ ...quotingReport(tcb, qeSvn), reportData: padded(binding) })
    return encodeSgxQuote(content, {
      signature: signBytes(content, attestationKey),
      attestationKey: publicKey,
      qeReportBytes,
      qeReportSignature: signBytes(qeReportBytes, pck.key),
      qeAuthData: QE_AUTH_DATA,
      certificationDataType: SGX_CERTIFICATION_PCK_CHAIN,
      // A C string, as in Intel's quotes.
      certificationData: encodeUtf8(`${pck.chainPem}\0`),
    })
  }
  return { quote, openEnclaveReport: async (reportData) => encodeOeReport(await quote(reportData)) }
}

function enclaveReport(options: EnclaveOptions, tcb: PlatformTcb): Omit<SgxReportBody, 'reportData'> {
  const { kss } = options
  return {
    cpuSvn: Uint8Array.from(tcb.components),
    miscSelect: 0,
    flags:
      SGX_FLAG_INIT |
      SGX_FLAG_MODE64 |
      (options.debug === true ? SGX_FLAG_DEBUG : 0n) |
      (kss === undefined ? 0n : SGX_FLAG_KSS),
    xfrm: XFRM,
    mrEnclave: options.mrEnclave ?? DEFAULT_MRENCLAVE,
    mrSigner: options.mrSigner ?? DEFAULT_MRSIGNER,
    isvProductId: options.productId ?? 1,
    isvSvn: options.svn ?? 1,
    configId: kss?.configId ?? new Uint8Array(64),
    configSvn: kss?.configSvn ?? 0,
    isvExtendedProductId: kss?.extendedProductId ?? new Uint8Array(16),
    isvFamilyId: kss?.familyId ?? new Uint8Array(16),
  }
}

function quotingReport(tcb: PlatformTcb, qeSvn: number): Omit<SgxReportBody, 'reportData'> {
  return {
    cpuSvn: Uint8Array.from(tcb.components),
    miscSelect: 0,
    flags: QE_FLAGS,
    xfrm: XFRM,
    mrEnclave: createHash('sha256').update('quoting enclave of Skerry').digest(),
    mrSigner: QE_MRSIGNER,
    isvProductId: QE_PRODUCT_ID,
    isvSvn: qeSvn,
    configId: new Uint8Array(64),
    configSvn: 0,
    isvExtendedProductId: new Uint8Array(16),
    isvFamilyId: new Uint8Array(16),
  }
}

function padded(reportData: Uint8Array): Uint8Array {
  if (reportData.length > 64) throw new RangeError('report data has at most 64 bytes')
  const whole = new Uint8Array(64)
  whole.set(reportData)
  return whole
}

/** x and y of a P-256 key, 64 bytes. */
function pointOf(key: KeyObject): Uint8Array {
  const { x, y } = createPublicKey(key).export({ format: 'jwk' })
  return concatBytes(decodeBase64Url(x!), decodeBase64Url(y!))
}

function signBytes(bytes: Uint8Array, key: KeyObject): Uint8Array {
  return new Uint8Array(sign('sha256', bytes, { key, dsaEncoding: 'ieee-p1363' }))
}
