import { constants, createHash, createPublicKey, type KeyObject, sign } from 'node:crypto'
import {
  COSE_ALG_PS384,
  coseAlgorithm,
  type DecodedSnpAttestRequest,
  decodeHex,
  derToPem,
  encodeReport,
  encodeSigStructure,
  encodeTcb,
  encodeUtf8,
  encodeUvmEndorsement,
  encodeUvmHashEnvelopeHeader,
  encodeUvmPayload,
  encodeUvmProtectedHeader,
  REPORT_SIGNED_SIZE,
  type SnpProduct,
  type SnpReport,
  setReportSignature,
  type TcbVersion,
  type UvmProtectedHeader,
} from '@skerry/guest/wire'
import type { KeyCache } from '../../core/index.ts'
import { buildArk, buildAsk, buildAsvk, buildVcek, buildVlek } from '../../psp/amd-profile.ts'
import { buildUvmChain, UVM_ENDORSEMENT_EKU } from '../../psp/uvm-certificates.ts'
import { spkiSha256 } from './certificates.ts'
import type { EvidenceTrust } from './trust.ts'

/* For tests: evidence in which everything holds, made so that each part can be broken and signed again. */

export const NOW = Date.parse('2026-01-01T00:00:00Z')
const DAY_MS = 24 * 3600 * 1000
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

/** The processor, and the key that signs its reports. */
export interface EvidenceKind {
  readonly product: SnpProduct
  readonly signedBy: 'VCEK' | 'VLEK'
  readonly version: 2 | 3 | 5
}

const MILAN: EvidenceKind = { product: 'Milan', signedBy: 'VCEK', version: 3 }
const CSP_ID = 'CN=host.example'
const CPUID = {
  Milan: { cpuidFamily: 0x19, cpuidModel: 0x01, cpuidStepping: 1 },
  Genoa: { cpuidFamily: 0x19, cpuidModel: 0x11, cpuidStepping: 1 },
  Turin: { cpuidFamily: 0x1a, cpuidModel: 0x02, cpuidStepping: 1 },
} as const satisfies Record<SnpProduct, unknown>

export interface EvidenceMaker {
  readonly trust: EvidenceTrust
  readonly keys: {
    readonly ark: KeyObject
    readonly ask: KeyObject
    readonly vcek: KeyObject
    readonly uvmLeaf: KeyObject
  }
  /** VCEK, ASK, ARK (or VLEK, ASVK, ARK) in DER. */
  readonly chain: readonly [Buffer, Buffer, Buffer]
  readonly tcb: TcbVersion
  report(change?: Partial<SnpReport>): Uint8Array
  /** In the JSON form, unless a change says otherwise. */
  endorsement(change?: EndorsementChange): Uint8Array
  /** Leaf, issuing CA, root in DER. */
  readonly uvmChain: readonly Uint8Array[]
  /** The request with everything in order, but for `change`. */
  request(change?: Partial<DecodedSnpAttestRequest>): DecodedSnpAttestRequest
}

export type EndorsementChange = Partial<UvmProtectedHeader> & {
  readonly launchMeasurement?: Uint8Array
  readonly form?: 'json' | 'hashEnvelope'
  readonly svn?: number
}

export const pemOf = (ders: readonly Uint8Array[]) => ders.map((der) => derToPem(der)).join('')

export async function createEvidenceMaker(
  cache: KeyCache,
  { product, signedBy, version }: EvidenceKind = MILAN,
): Promise<EvidenceMaker> {
  const [ark, ask, vcek, root, issuing, leaf] = await Promise.all([
    cache.rsa('test-ark', 2048),
    cache.rsa('test-ask', 2048),
    cache.ec('test-vcek', 'P-384'),
    cache.rsa('test-uvm-root', 2048),
    cache.rsa('test-uvm-issuing', 2048),
    cache.rsa('test-uvm-leaf', 2048),
  ])
  const pair = (privateKey: KeyObject) => ({ privateKey, publicKey: createPublicKey(privateKey) })
  const tcb: TcbVersion = { ...TCB, ...(product === 'Turin' && { fmc: 1 }) }
  const chipId = product === 'Turin' ? Uint8Array.of(...CHIP_ID.subarray(0, 8), ...new Uint8Array(56)) : CHIP_ID
  const content = { publicKey: createPublicKey(vcek), chipId, tcb, product, cspId: CSP_ID }
  const byVlek = signedBy === 'VLEK'
  const chain = [
    byVlek ? buildVlek(content, ask, NOW - DAY_MS) : buildVcek(content, ask, NOW - DAY_MS),
    byVlek ? buildAsvk(createPublicKey(ask), pair(ark), product) : buildAsk(createPublicKey(ask), pair(ark), product),
    buildArk(pair(ark), product),
  ] as const
  const uvmChain = buildUvmChain({ root, issuing, leaf }, [1n, 2n, 3n], NOW).map((der) => new Uint8Array(der))
  const fingerprint = createHash('sha256').update(uvmChain[2]!).digest('base64url')
  const issuer = `did:x509:0:sha256:${fingerprint}::eku:${UVM_ENDORSEMENT_EKU}`
  const { cpuidFamily: _f, cpuidModel: _m, cpuidStepping: _s, ...common } = REPORT
  const level = encodeTcb(tcb, product)
  const made: SnpReport = {
    ...common,
    version,
    chipId: byVlek ? new Uint8Array(64) : chipId,
    keyInfo: byVlek ? 4 : 0,
    currentTcb: level,
    committedTcb: level,
    launchTcb: level,
    reportedTcb: level,
    ...(version >= 3 && CPUID[product]),
    ...(version >= 5 && { launchMitVector: 0x3fn, currentMitVector: 0x3fn }),
  }

  const report = (change: Partial<SnpReport> = {}) => {
    const bytes = encodeReport({ ...made, ...change })
    resign(bytes, vcek)
    return bytes
  }
  const endorsement: EvidenceMaker['endorsement'] = (change = {}) => {
    const { launchMeasurement = MEASUREMENT, form = 'json', svn = 104, ...headers } = change
    const header = {
      alg: COSE_ALG_PS384,
      x5chain: uvmChain,
      leafSha256: digest((headers.x5chain ?? uvmChain)[0]!),
      issuer,
      feed: FEED,
      signedAt: NOW / 1000,
      ...headers,
    }
    const protectedBytes =
      form === 'json' ? encodeUvmProtectedHeader(header) : encodeUvmHashEnvelopeHeader({ ...header, svn })
    const payload = form === 'json' ? encodeUvmPayload({ launchMeasurement, svn }) : Uint8Array.from(launchMeasurement)
    const hash = coseAlgorithm(header.alg)?.hash ?? 'sha384'
    const signature = sign(hash, encodeSigStructure(protectedBytes, payload), {
      key: leaf,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength: constants.RSA_PSS_SALTLEN_DIGEST,
    })
    return encodeUvmEndorsement({ protectedBytes, payload, signature: new Uint8Array(signature) })
  }
  return {
    trust: {
      roots: [{ product, arkSpkiSha256: spkiSha256(createPublicKey(ark)) }],
      uvm: [{ issuer, feed: FEED }],
    },
    keys: { ark, ask, vcek, uvmLeaf: leaf },
    chain,
    tcb,
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
