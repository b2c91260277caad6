import type { SnpProduct, TcbVersion, ThimCertification } from '@skerry/guest/wire'
import type { ProcessorFaults } from '../core/index.ts'
import type { CertificateService, FailedAnswer } from './fault-plan.ts'
import type { CertificateSupply } from './levels.ts'
import type { HostSettings } from './options.ts'

/** A virtual AMD secure processor: one chip with its keys, its TCB, and the guests launched on it. */
export interface VirtualProcessor {
  /** What it is, in AMD's key distribution names. */
  readonly product: SnpProduct
  readonly settings: HostSettings
  /** SHA-256 of the SubjectPublicKeyInfo (DER) of this processor's ARK, lower-case hex: what a verifier pins. */
  arkSpkiSha256(): Promise<string>
  /**
   * The roots of every product that a guest was launched on, or a chain given out for, since this machine started; this
   * one's first. What a chain of a product ends in must be the root of that product. The list grows: ask each time.
   */
  trustAnchors(): Promise<readonly TrustAnchor[]>
  /** The processor of another host of this machine, of that product and otherwise set up as its product is; itself for its own. */
  of(product: SnpProduct): VirtualProcessor
  /** The processors of this machine that there was a use for, this one first. */
  siblings(): readonly VirtualProcessor[]
  /** The certificates for the reported TCB, as THIM hands them out: those of the VLEK where one is loaded. */
  thim(): Promise<ThimCertification>
  /**
   * DER of the VCEK of a chip and TCB; undefined when this machine has no such certificate.
   * @param chipIdHex the hardware id, or the whole chip id of reports, in lower-case hex
   */
  vcek(chipIdHex: string, tcb: TcbVersion): Promise<Uint8Array | undefined>
  /** DER of this cloud's VLEK for a TCB; undefined for one that AMD has not certified. */
  vlek(tcb: TcbVersion): Promise<Uint8Array | undefined>
  /** PEM: ASK (or ASVK) then ARK, nothing else. */
  certificateChainPem(kind?: 'vcek' | 'vlek'): Promise<string>
  /** DER CRL signed by the ARK. */
  crl(): Promise<Uint8Array>
  /** What endorses the UVM image that every guest of this host boots: issuer DID, feed, and the COSE_Sign1 made for it. */
  readonly uvm: UvmIdentity
  /**
   * @throws RangeError for a field of the wrong size
   * @throws FirmwareError for a guest policy that this host cannot keep
   */
  launch(options: LaunchOptions): VirtualGuest
  /**
   * The report that the host itself asks for: VMPL 0xFFFFFFFF, no report data. No relying party takes one for a guest's.
   * @throws RangeError for a guest of another processor
   */
  hostReport(guest: VirtualGuest): Promise<Uint8Array>
  /** The levels as they are now. */
  tcb(): ProcessorTcb
  /**
   * Moves the host to another TCB while guests run: their reports state and are signed for the new one from now on.
   * @param next levels that change; default: one update further
   * @throws RangeError for a level that the product does not have or that is no byte
   */
  rollTcb(next?: Partial<TcbVersion>, options?: { readonly certificates?: CertificateSupply }): ProcessorTcb
  /** Begins another fault plan in place of the one that the instance was started with, for this and all sibling processors. */
  setFaults(faults: ProcessorFaults): void
  /** Counts an answer of one of the certificate services against the fault plan. */
  failedAnswer(service: CertificateService): FailedAnswer | undefined
}

export interface TrustAnchor {
  readonly product: SnpProduct
  /** SHA-256 of the ARK's SubjectPublicKeyInfo (DER), lower-case hex. */
  readonly arkSpkiSha256: string
}

export interface ProcessorTcb {
  readonly reported: TcbVersion
  readonly committed: TcbVersion
  readonly current: TcbVersion
}

export interface UvmIdentity {
  /** `did:x509:0:sha256:…::eku:…` of the emulator's own endorser; an emulated MAA trusts it and no other. */
  issuer(): Promise<string>
  readonly feed: string
  /** 48 bytes. */
  readonly launchMeasurement: Uint8Array
  /** COSE_Sign1, JSON payload form (`reference-info-base64` holds it in base64). */
  endorsement(): Promise<Uint8Array>
  /** The same in the hash-envelope form (`transparent-reference-info-base64`), without a ledger's receipt. */
  transparentEndorsement(): Promise<Uint8Array>
}

export interface LaunchOptions {
  /** 32 bytes: SHA-256 of the decoded CCE policy. */
  readonly hostData: Uint8Array
  /** Sets the debug bit of the guest policy. Default false. */
  readonly debug?: boolean
  /** VMPL of the requester, default 0. */
  readonly vmpl?: 0 | 1 | 2 | 3
  /** The whole guest policy (`encodeGuestPolicy`). Default 0x3001f, as on Azure. */
  readonly policy?: bigint
  /** 48 bytes. Default: the utility VM that this instance endorses; of anything else there is no endorsement. */
  readonly measurement?: Uint8Array
  /** Of the ID block; u32, default 2. */
  readonly guestSvn?: number
  /** 16 bytes each; default 1 and 2, as on Azure. */
  readonly familyId?: Uint8Array
  readonly imageId?: Uint8Array
  /** SHA-384 of the ID key, 48 bytes; default: this host's. All zero: without an ID block. */
  readonly idKeyDigest?: Uint8Array
  /** SHA-384 of the author key, 48 bytes; absent: there is none. */
  readonly authorKeyDigest?: Uint8Array
  /** Launched so that its reports are never signed with the VCEK (VCEK_DIS). */
  readonly vcekDisabled?: boolean
}

/** A launched guest: what stands behind its `/dev/sev-guest`. Its requests reject with GuestRequestError. */
export interface VirtualGuest {
  /** report_id, 32 bytes. */
  readonly reportId: Uint8Array
  /** MSG_REPORT_REQ (96 bytes) to MSG_REPORT_RSP (1216 bytes: status, size, report). */
  reportRequest(request: Uint8Array): Promise<Uint8Array>
  /** MSG_KEY_REQ (32 bytes, 40 with a mitigation vector) to MSG_KEY_RSP (64 bytes). */
  keyRequest(request: Uint8Array): Promise<Uint8Array>
  /** The certificate table that SNP_GET_EXT_REPORT hands out (GUID table, whole pages are the caller's business); empty: none. */
  certificateTable(): Promise<Uint8Array>
}
