/** Status codes of gRPC (gRPC documentation, "Status codes and their use in gRPC"), those that are answered here. */
export const RPC_STATUS = { unknown: 2, invalidArgument: 3, failedPrecondition: 9, internal: 13 } as const

export type RpcStatus = (typeof RPC_STATUS)[keyof typeof RPC_STATUS]

/** A call that is answered with an error: code and words go to the client. */
export class RpcError extends Error {
  readonly code = 'ERR_RPC'
  readonly status: RpcStatus

  constructor(status: RpcStatus, message: string) {
    super(message)
    this.name = 'RpcError'
    this.status = status
  }
}
