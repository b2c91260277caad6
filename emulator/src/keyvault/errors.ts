import type { JournalEntry } from '../core/index.ts'

/** What the journal says about a refusal beyond what the answer does. */
export type Evidence = Partial<Pick<JournalEntry, 'subject' | 'summary' | 'conditions' | 'action' | 'details'>>

/**
 * A refusal of the data plane, in the words that the answer carries. `code` and `innerCode` are Azure's; how they are
 * written down (with or without the inner code, with an Activity ID) is the personality's business.
 */
export class KeyVaultError extends Error {
  readonly status: number
  readonly code: string
  readonly innerCode: string | undefined
  /** Of the answer, beside the personality's. */
  readonly headers: Readonly<Record<string, string>>
  /** For the journal only, never for the answer. */
  readonly evidence: Evidence

  constructor(
    status: number,
    code: string,
    message: string,
    more: {
      readonly innerCode?: string
      readonly headers?: Readonly<Record<string, string>>
      readonly evidence?: Evidence
    } = {},
  ) {
    super(message)
    this.name = 'KeyVaultError'
    this.status = status
    this.code = code
    this.innerCode = more.innerCode
    this.headers = more.headers ?? {}
    this.evidence = more.evidence ?? {}
  }
}

export const badParameter = (message: string): KeyVaultError => new KeyVaultError(400, 'BadParameter', message)

export const forbidden = (message: string, innerCode?: string, evidence?: Evidence): KeyVaultError =>
  new KeyVaultError(403, 'Forbidden', message, {
    ...(innerCode === undefined ? {} : { innerCode }),
    ...(evidence === undefined ? {} : { evidence }),
  })

/** What Azure has and this emulator has not: never an answer that pretends. */
export const notCovered = (code: string, message: string): KeyVaultError => new KeyVaultError(501, code, message)
