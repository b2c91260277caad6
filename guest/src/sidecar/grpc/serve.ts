import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import type { handleUnaryCall, ServiceDefinition, ServiceError, UntypedServiceImplementation } from '@grpc/grpc-js'
import type { PackageDefinition } from '@grpc/proto-loader'
import { withoutTokens } from '../../http/upstream.ts'
import type { Log } from '../log.ts'
import { RPC_STATUS, RpcError } from './errors.ts'
import type { KeyProvider } from './key-provider.ts'

/** `key_provider.proto`, for those who generate clients and for this server. */
export const PROTO_FILE: string = join(packageFolder('@skerry/guest'), 'proto/key_provider.proto')

export interface GrpcServerOptions {
  readonly provider: KeyProvider
  /** 0: any free port. */
  readonly port: number
  readonly log: Log
}

export interface GrpcServer {
  readonly port: number
  stop(): Promise<void>
}

/**
 * Serves `key_provider.KeyProviderService` with reflection (v1 and v1alpha), plaintext, on the loopback address only. The
 * gRPC library is loaded here and not before: a sidecar that speaks HTTP does without it.
 * @throws an error with code EADDRINUSE when the port is taken
 */
export async function serveGrpc(options: GrpcServerOptions): Promise<GrpcServer> {
  const [grpc, protoLoader, { ReflectionService }, { withJsonNames }] = await Promise.all([
    import('@grpc/grpc-js'),
    import('@grpc/proto-loader'),
    import('@grpc/reflection'),
    import('./descriptors.ts'),
  ])
  const definition = protoLoader.loadSync(PROTO_FILE, { keepCase: true, defaults: true })
  // The reflection services describe themselves, too, as they do in the original.
  const reflection = REFLECTION_VERSIONS.map((version) =>
    protoLoader.loadSync(reflectionProto(version), { keepCase: true }),
  )
  const server = new grpc.Server()
  const service = serviceOf(definition, SERVICE)
  const calls = implementation(options)
  server.addService(service, calls)
  server.addService(asOcicryptNamesIt(service), calls)
  new ReflectionService(withJsonNames(Object.assign({}, ...reflection, definition) as PackageDefinition)).addToServer(
    server,
  )
  const port = await new Promise<number>((done, fail) => {
    server.bindAsync(`127.0.0.1:${options.port}`, grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? fail(bindError(error)) : done(bound),
    )
  })
  return {
    port,
    stop: async () => server.forceShutdown(),
  }
}

const SERVICE = 'key_provider.KeyProviderService'

/**
 * The two calls of ocicrypt's key provider protocol under its own package name (ocicrypt, `keyprovider.proto`), which the
 * original does not answer: same messages on the wire. Reflection lists the original's name alone.
 */
function asOcicryptNamesIt(service: ServiceDefinition): ServiceDefinition {
  const calls = (['WrapKey', 'UnWrapKey'] as const).map((name) => {
    const method = service[name]!
    return [name, { ...method, path: method.path.replace(SERVICE, 'keyprovider.KeyProviderService') }]
  })
  return Object.fromEntries(calls) as ServiceDefinition
}

const REFLECTION_VERSIONS = ['v1', 'v1alpha'] as const

function reflectionProto(version: (typeof REFLECTION_VERSIONS)[number]): string {
  return join(packageFolder('@grpc/reflection'), 'build/proto/grpc/reflection', version, 'reflection.proto')
}

function packageFolder(name: string): string {
  return dirname(createRequire(import.meta.url).resolve(`${name}/package.json`))
}

function serviceOf(definition: PackageDefinition, name: string): ServiceDefinition {
  const service = definition[name]
  if (service === undefined || 'format' in service) throw new Error(`${PROTO_FILE} has no service ${name}`)
  return service as ServiceDefinition
}

type Message = Readonly<Record<string, unknown>>

function implementation({ provider, log }: GrpcServerOptions): UntypedServiceImplementation {
  const unary =
    (name: string, answer: (request: Message) => Message | Promise<Message>): handleUnaryCall<Message, Message> =>
    async (call, callback) => {
      log('info', `${name}...`)
      try {
        callback(null, await answer(call.request))
      } catch (error) {
        const status = errorOf(error)
        log('error', `${name}: ${status.details}`)
        callback(status)
      }
    }
  return {
    SayHello: unary('SayHello', ({ name }) => ({ message: provider.sayHello(String(name)) })),
    GetReport: unary('GetReport', async (request) => ({
      report_hex_string: await provider.getReport(String(request.report_data_hex_string)),
    })),
    GetAttestationData: unary('GetAttestationData', async (request) => {
      const data = await provider.getAttestationData(String(request.b64_runtime_data_string))
      return {
        endorsed_tcb: data.endorsedTcb,
        certs: data.certificates,
        attestation_report: data.report,
        uvm_reference_info: data.uvmReferenceInfo,
      }
    }),
    WrapKey: unary('WrapKey', async (request) => ({
      key_provider_key_wrap_protocol_output: await provider.wrapKey(inputOf(request)),
    })),
    UnWrapKey: unary('UnWrapKey', async (request) => ({
      key_provider_key_wrap_protocol_output: await provider.unwrapKey(inputOf(request)),
    })),
  }
}

function inputOf(request: Message): Uint8Array {
  return request.key_provider_key_wrap_protocol_input as Buffer
}

function errorOf(error: unknown): Pick<ServiceError, 'code' | 'details'> {
  if (error instanceof RpcError) return { code: error.status, details: error.message }
  return { code: RPC_STATUS.internal, details: withoutTokens((error as Error).message) }
}

/** The library says in words only why it could not listen. */
function bindError(error: Error): Error {
  return /EADDRINUSE/.test(error.message)
    ? Object.assign(new Error('the port is in use', { cause: error }), { code: 'EADDRINUSE' })
    : error
}
