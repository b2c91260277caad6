import type { KeyObject } from 'node:crypto'
import type { PckExtensions } from '@skerry/guest/wire'
import type { SgxCollateral } from './collateral.ts'

/** The security versions of a platform. */
export interface PlatformTcb {
  /** 16 numbers from 0 to 255. */
  readonly components: readonly number[]
  /** u16: of the provisioning certification enclave. */
  readonly pceSvn: number
}

/** A virtual machine with SGX: its keys and certificates, the enclaves launched on it, and what is known of its TCB. */
export interface SgxPlatform {
  /** SHA-256 of the SubjectPublicKeyInfo (DER) of this instance's root, lower-case hex: what a verifier pins. */
  rootSpkiSha256(): Promise<string>
  /** DER. */
  rootCertificate(): Promise<Uint8Array>
  /** The collateral of this platform for a TCB baseline, good for 30 days from the day of the clock. */
  collateral(baseline: number): Promise<SgxCollateral>
  /** Loads an enclave. */
  launch(options?: EnclaveOptions): VirtualEnclave
  /** From now on the issuer's list has the PCK certificate of this TCB. Default: the current one. */
  revoke(tcb?: PlatformTcb): Promise<void>
}

export interface EnclaveOptions {
  /** Measurement of the enclave, 32 bytes. */
  readonly mrEnclave?: Uint8Array
  /** SHA-256 of the signer's modulus, 32 bytes. */
  readonly mrSigner?: Uint8Array
  /** ISVPRODID, u16. Default 1. */
  readonly productId?: number
  /** ISVSVN, u16. Default 1. */
  readonly svn?: number
  /** A debugger may look into it. Default false. */
  readonly debug?: boolean
  /** Key separation and sharing; absent: an enclave (or a processor) without it. */
  readonly kss?: {
    /** 64 bytes; SHA-256 of init time data goes into the first half. Default zero. */
    readonly configId?: Uint8Array
    /** u16. Default 0. */
    readonly configSvn?: number
    /** 16 bytes. Default zero. */
    readonly extendedProductId?: Uint8Array
    /** 16 bytes. Default zero. */
    readonly familyId?: Uint8Array
  }
  /** The platform's TCB when the quote is made. Default: up to date by every baseline. */
  readonly tcb?: PlatformTcb
  /** ISVSVN of the quoting enclave. Default: up to date. */
  readonly qeSvn?: number
}

/** A loaded enclave, seen by a program in it that asks for quotes. */
export interface VirtualEnclave {
  /**
   * A quote of version 3.
   * @param reportData at most 64 bytes; zero follows
   * @throws RangeError for more
   */
  quote(reportData: Uint8Array): Promise<Uint8Array>
  /** The same as a remote report of Open Enclave. */
  openEnclaveReport(reportData: Uint8Array): Promise<Uint8Array>
}

/** The platform's part in a quote. */
export interface QuotingPlatform {
  /** The key that signs reports of the quoting enclave at this TCB, and its chain in PEM, leaf first. */
  pck(tcb: PlatformTcb): Promise<PlatformKey>
  attestationKey(): Promise<KeyObject>
  /** 16 bytes, the first part of a quote's user data. */
  platformId(): Promise<Uint8Array>
}

export interface PlatformKey {
  readonly key: KeyObject
  readonly chainPem: string
  readonly extensions: PckExtensions
}
