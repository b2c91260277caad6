import { constants, createHash, createPublicKey, type KeyObject, sign } from 'node:crypto'
import {
  COSE_ALG_PS384,
  type DecodedSnpAttestRequest,
  decodeHex,
  derToPem,
  encodeReport,
  encodeSigStructure,
  encodeUtf8,
  encodeUvmEndorsement,
  encodeUvmPayload,
  encodeUvmProtectedHeader,
  REPORT_SIGNED_SIZE,
  type SnpReport,
  setReportSignature,
  type TcbVersion,
  type UvmProtectedHeader,
} from '@skerry/guest/wire'
import type { KeyCache } from '../../core/index.ts'
import { buildArk, buildAsk, buildVcek } from '../../psp/amd-profile.ts'
import { buildUvmChain, UVM_ENDORSEMENT_EKU } from '../../psp/uvm-certificates.ts'
import { spkiSha256 } from './certificates.ts'
import type { EvidenceTrust } from './verifier.ts'

/* For tests: evidence in which everything holds, made so that each part can be broken and signed again. */

export const NOW = Date.parse('2026-01-01T00:00:00Z')
const FEED = 'ContainerPlat-AMD-UVM'
const MEASUREMENT = new Uint8Array(48).fill(0x5a)
const CHIP_ID = new Uint8Array(64).fill(0x21)
const TCB: TcbVersion = { bootLoader: 4, tee: 0, snp: 24, microcode: 0xdb }
export const RUNTIME_DATA = encodeUtf8('{"keys":[]}')
export const INIT_TIME_DATA = encodeUtf8('{"policy":"text"}')

const digest = (bytes: Uint8Array) => new Uint8Array(createHash('sha256').update(bytes).digest())

export const REPORT: SnpReport = {
  version: 3,
  guestSvn: 2,
  policy: 0x3001fn,
  familyId: new Uint8Array(16),
  imageId: new Uint8Array(16),
  vmpl: 0,
  signatureAlgo: 1,
  currentTcb: decodeHex('04000000000018db'),
  platformInfo: 0x25n,
  keyInfo: 0,
  reportData: Uint8Array.of(...digest(RUNTIME_DATA), ...new Uint8Array(32)),
  measurement: MEASUREMENT,
  hostData: digest(INIT_TIME_DATA),
  idKeyDigest: new Uint8Array(48),
  authorKeyDigest: new Uint8Array(48),
  reportId: new Uint8Array(32).fill(7),
  reportIdMa: new Uint8Array(32).fill(0xff),
  reportedTcb: decodeHex('04000000000018db'),
  cpuidFamily: 0x19,
  cpuidModel: 1,
  cpuidStepping: 1,
  chipId: CHIP_ID,
  committedTcb: decodeHex('04000000000018db'),
  current: { build: 29, minor: 55, major: 1 },
  committed: { build: 29, minor: 55, major: 1 },
  launchTcb: decodeHex('04000000000018db'),
}

export interface EvidenceMaker {
  readonly trust: EvidenceTrust
  readonly keys: { readonly ark: KeyObject; readonly ask: KeyObject; readonly vcek: KeyObject }
  /** VCEK, ASK, ARK in DER. */
  readonly chain: readonly [Buffer, Buffer, Buffer]
  report(change?: Partial<SnpReport>): Uint8Array
  endorsement(change?: Partial<UvmProtectedHeader> & { launchMeasurement?: Uint8Array }): Uint8Array
  /** Leaf, issuing CA, root in DER. */
  readonly uvmChain: readonly Uint8Array[]
  /** The request with everything in order, but for `change`. */
  request(change?: Partial<DecodedSnpAttestRequest>): DecodedSnpAttestRequest
}

export const pemOf = (ders: readonly Uint8Array[]) => ders.map((der) => derToPem(der)).join('')

export async function createEvidenceMaker(cache: KeyCache): Promise<EvidenceMaker> {
  const [ark, ask, vcek, root, issuing, leaf] = await Promise.all([
    cache.rsa('test-ark', 2048),
    cache.rsa('test-ask', 2048),
    cache.ec('test-vcek', 'P-384'),
    cache.rsa('test-uvm-root', 2048),
    cache.rsa('test-uvm-issuing', 2048),
    cache.rsa('test-uvm-leaf', 2048),
  ])
  const pair = (privateKey: KeyObject) => ({ privateKey, publicKey: createPublicKey(privateKey) })
  const content = { publicKey: createPublicKey(vcek), chipId: CHIP_ID, tcb: TCB }
  const chain = [
    buildVcek(content, ask, NOW),
    buildAsk(createPublicKey(ask), pair(ark), NOW),
    buildArk(pair(ark), NOW),
  ] as const
  const uvmChain = buildUvmChain({ root, issuing, leaf }, [1n, 2n, 3n], NOW).map((der) => new Uint8Array(der))
  const fingerprint = createHash('sha256').update(uvmChain[2]!).digest('base64url')
  const issuer = `did:x509:0:sha256:${fingerprint}::eku:${UVM_ENDORSEMENT_EKU}`

  const report = (change: Partial<SnpReport> = {}) => {
    const bytes = encodeReport({ ...REPORT, ...change })
    resign(bytes, vcek)
    return bytes
  }
  const endorsement: EvidenceMaker['endorsement'] = ({ launchMeasurement = MEASUREMENT, ...change } = {}) => {
    const header = {
      alg: COSE_ALG_PS384,
      x5chain: uvmChain,
      leafSha256: digest(uvmChain[0]!),
      issuer,
      feed: FEED,
      signedAt: NOW / 1000,
    }
    const protectedBytes = encodeUvmProtectedHeader({ ...header, ...change })
    const payload = encodeUvmPayload({ launchMeasurement, svn: 104 })
    const signature = sign('sha384', encodeSigStructure(protectedBytes, payload), {
      key: leaf,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: 48,
    })
    return encodeUvmEndorsement({ protectedBytes, payload, signature: new Uint8Array(signature) })
  }
  return {
    trust: { arkSpkiSha256: [spkiSha256(createPublicKey(ark))], uvm: [{ issuer, feed: FEED }] },
    keys: { ark, ask, vcek },
    chain,
    report,
    endorsement,
    uvmChain,
    request: (change = {}) => ({
      report: report(),
      certificateChainPem: pemOf(chain),
      uvmEndorsements: [endorsement()],
      runtimeData: { data: RUNTIME_DATA, dataType: 'JSON' },
      initTimeData: { data: INIT_TIME_DATA, dataType: 'JSON' },
      ...change,
    }),
  }
}

/** Signs the report's bytes as they are now. */
export function resign(report: Uint8Array, vcek: KeyObject): void {
  const signed = report.subarray(0, REPORT_SIGNED_SIZE)
  setReportSignature(report, new Uint8Array(sign('sha384', signed, { key: vcek, dsaEncoding: 'ieee-p1363' })))
}

/** The same bytes with one bit of one byte turned; a negative index counts from the end. */
export function flipped(bytes: Uint8Array, index: number): Uint8Array<ArrayBuffer> {
  const copy = Uint8Array.from(bytes)
  const at = index < 0 ? copy.length + index : index
  copy[at] = copy[at]! ^ 1
  return copy
}
