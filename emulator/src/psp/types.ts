import type { SnpProduct, TcbVersion, ThimCertification } from '@skerry/guest/wire'

/** A virtual AMD secure processor: one chip with its keys, its TCB, and the guests launched on it. */
export interface VirtualProcessor {
  /** What it is, in AMD's key distribution names. */
  readonly product: SnpProduct
  /** SHA-256 of the SubjectPublicKeyInfo (DER) of this processor's ARK, lower-case hex: what a verifier pins. */
  arkSpkiSha256(): Promise<string>
  /** The certificates for the current reported TCB, as THIM hands them out. Honours the fault plan (`tamper: tcb`). */
  thim(): Promise<ThimCertification>
  /** DER of the VCEK for this chip id (128 lower-case hex digits) and TCB; undefined when this machine has no such certificate. */
  vcek(chipIdHex: string, tcb: TcbVersion): Promise<Uint8Array | undefined>
  /** PEM: ASK then ARK, nothing else. */
  certificateChainPem(): Promise<string>
  /** DER CRL signed by the ARK. */
  crl(): Promise<Uint8Array>
  /** What endorses the UVM image that every guest of this host boots: issuer DID, feed, and the COSE_Sign1 made for it. */
  readonly uvm: UvmIdentity
  launch(options: LaunchOptions): VirtualGuest
}

export interface UvmIdentity {
  /** `did:x509:0:sha256:…::eku:…` of the emulator's own endorser; an emulated MAA trusts it and no other. */
  issuer(): Promise<string>
  readonly feed: string
  /** 48 bytes. */
  readonly launchMeasurement: Uint8Array
  /** COSE_Sign1, JSON payload form (`reference-info-base64` holds it in base64). */
  endorsement(): Promise<Uint8Array>
}

export interface LaunchOptions {
  /** 32 bytes: SHA-256 of the decoded CCE policy. */
  readonly hostData: Uint8Array
  /** Sets the debug bit of the guest policy. Default false. */
  readonly debug?: boolean
  /** VMPL of the requester, default 0. */
  readonly vmpl?: 0 | 1 | 2 | 3
}

/** A launched guest: what stands behind its `/dev/sev-guest`. */
export interface VirtualGuest {
  /** report_id, 32 bytes. */
  readonly reportId: Uint8Array
  /** MSG_REPORT_REQ (96 bytes) to MSG_REPORT_RSP (1216 bytes: status, size, report). */
  reportRequest(request: Uint8Array): Promise<Uint8Array>
  /** MSG_KEY_REQ (32 bytes) to MSG_KEY_RSP (64 bytes). */
  keyRequest(request: Uint8Array): Promise<Uint8Array>
  /** The certificate table that SNP_GET_EXT_REPORT hands out (GUID table, whole pages are the caller's business). */
  certificateTable(): Promise<Uint8Array>
}
