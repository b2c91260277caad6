/**
 * The data that crosses between host and app: the members of Azure Functions' RPC protocol (FunctionRpc.proto,
 * Azure/azure-functions-language-worker-protobuf) that an app on Node.js sees, as plain objects.
 */

/** One value; exactly one member is set, or none for "no value". */
export interface RpcTypedData {
  string?: string | null
  json?: string | null
  bytes?: Uint8Array | null
  int?: number | null
  double?: number | null
  http?: RpcHttpRequest | RpcHttpResponse | null
}

export interface RpcHttpRequest {
  method: string
  url: string
  nullableHeaders: Record<string, { value: string }>
  nullableQuery: Record<string, { value: string }>
  nullableParams: Record<string, { value: string }>
  body?: RpcTypedData
}

export interface RpcHttpResponse {
  statusCode?: string
  headers?: Record<string, string>
  cookies?: RpcHttpCookie[]
  enableContentNegotiation?: boolean
  body?: RpcTypedData | null
}

/** Members other than name and value are wrapped: absent and empty differ on the wire. */
export interface RpcHttpCookie {
  name: string
  value: string
  domain?: { value: string }
  path?: { value: string }
  expires?: { value: Date | string | number }
  secure?: { value: boolean }
  httpOnly?: { value: boolean }
  sameSite?: 'none' | 'lax' | 'strict' | 'explicitNone'
  maxAge?: { value: number }
}

export interface RpcParameterBinding {
  name: string
  data: RpcTypedData | null | undefined
}

export interface InvocationRequest {
  invocationId: string
  functionId: string
  inputData: RpcParameterBinding[]
  triggerMetadata: Record<string, RpcTypedData>
  traceContext: { traceParent: string; traceState: string; attributes: Record<string, string> }
  retryContext?: { retryCount: number; maxRetryCount: number; exception?: RpcException }
}

export interface RpcException {
  message: string
  source: string
  stackTrace: string
}

export interface InvocationResponse {
  invocationId: string
  outputData: RpcParameterBinding[]
  returnValue?: RpcTypedData | null
}

export interface BindingMetadata {
  readonly type: string
  readonly name: string
  readonly direction?: string
  readonly [option: string]: unknown
}

export interface RetryOptions {
  readonly retryStrategy?: string
  readonly maxRetryCount?: number
  readonly delayInterval?: { readonly seconds?: number }
  readonly minimumInterval?: { readonly seconds?: number }
  readonly maximumInterval?: { readonly seconds?: number }
}

/** What the library hands to `registerFunction`. */
export interface FunctionMetadata {
  readonly name: string
  readonly bindings: Readonly<Record<string, BindingMetadata>>
  readonly retryOptions?: RetryOptions
}

/** The key and metadata of the binding of that type; bindings are known by type, never by name. */
export function bindingOfType(
  metadata: FunctionMetadata,
  type: string,
): { key: string; binding: BindingMetadata } | undefined {
  const wanted = type.toLowerCase()
  for (const [key, binding] of Object.entries(metadata.bindings)) {
    if (binding.type.toLowerCase() === wanted) return { key, binding }
  }
  return undefined
}
