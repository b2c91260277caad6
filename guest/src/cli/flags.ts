export interface ReportFlags {
  readonly runtimeData?: string
  readonly decode?: true
  readonly vmpl?: string
}

export interface AttestFlags {
  readonly maa: string
  readonly runtimeData?: string
  readonly nonce?: string
  readonly toFile?: string
  readonly certificates?: string
}

/** Which key, and in which form. */
export interface KeyFlags {
  readonly maa: string
  readonly akv: string
  readonly kid: string
  readonly clientId?: string
  readonly certificates?: string
  readonly format?: string
  readonly deriveSalt?: string
  readonly deriveLabel?: string
}

export interface ReleaseFlags extends KeyFlags {
  readonly toFile?: string
  readonly toFd?: string
  readonly toEnv?: string
}

export interface ExecFlags extends KeyFlags {
  readonly env?: string
  readonly file?: string
  readonly link?: string
  readonly pathEnv?: string
}
