import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import {
  type Client,
  type ClientDuplexStream,
  credentials,
  loadPackageDefinition,
  makeGenericClientConstructor,
} from '@grpc/grpc-js'
import { loadFileDescriptorSetFromBuffer, loadSync } from '@grpc/proto-loader'
import descriptor from 'protobufjs/ext/descriptor/index.js'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createWrappingKeys } from '../../skr/wrapping-key.ts'
import { certificationOf, deviceWith, TCB } from '../../testing/chip.ts'
import { stillClock } from '../../testing/clock.ts'
import { type Sidecar, startSidecar } from '../start.ts'

// A client that knows nothing of the service but its address: it asks by reflection what there is, and calls it.

const protos = join(dirname(createRequire(import.meta.url).resolve('@grpc/reflection/package.json')), 'build/proto')
const SERVICE = 'key_provider.KeyProviderService'

/** One for all: most of a start is the making of these. */
const wrappingKeys = createWrappingKeys({ size: 1, parallel: 1 })

let sidecar: Sidecar
beforeAll(async () => {
  sidecar = await startSidecar({
    serverType: 'grpc',
    port: 0,
    device: deviceWith(TCB),
    securityContext: { source: 'a test', certification: certificationOf(TCB) },
    wrappingKeys,
    credential: { getToken: async () => null },
    clock: stillClock(),
    write: () => undefined,
  })
})
afterAll(() => sidecar.stop())

interface Answer {
  readonly list_services_response?: { readonly service: readonly { readonly name: string }[] }
  readonly file_descriptor_response?: { readonly file_descriptor_proto: readonly Buffer[] }
  readonly error_response?: { readonly error_code: number; readonly error_message: string }
}
type Reflecting = Client & { ServerReflectionInfo(): ClientDuplexStream<object, Answer> }

async function reflect(version: string, question: object): Promise<Answer> {
  const file = join(protos, `grpc/reflection/${version}/reflection.proto`)
  const { grpc } = loadPackageDefinition(loadSync(file, { keepCase: true })) as never as {
    grpc: { reflection: Record<string, { ServerReflection: new (at: string, by: object) => Reflecting }> }
  }
  const client = new grpc.reflection[version]!.ServerReflection(
    `localhost:${sidecar.port}`,
    credentials.createInsecure(),
  )
  try {
    const stream = client.ServerReflectionInfo()
    const answer = new Promise<Answer>((done, fail) => stream.once('data', done).once('error', fail))
    stream.write(question)
    stream.end()
    return await answer
  } finally {
    client.close()
  }
}

describe.each(['v1', 'v1alpha'])('reflection, %s', (version) => {
  it('lists the services', async () => {
    const { list_services_response: list } = await reflect(version, { list_services: '*' })
    expect(list!.service.map(({ name }) => name).sort()).toEqual([
      'grpc.reflection.v1.ServerReflection',
      'grpc.reflection.v1alpha.ServerReflection',
      SERVICE,
    ])
  })

  it('describes them well enough to be called', async () => {
    const { file_descriptor_response: files } = await reflect(version, { file_containing_symbol: SERVICE })
    const set = Buffer.concat(files!.file_descriptor_proto.map((file) => Buffer.concat([tag(file.length), file])))
    const service = loadFileDescriptorSetFromBuffer(set, { defaults: true })[SERVICE]!
    if ('format' in service) throw new Error('not a service')
    expect(Object.keys(service)).toEqual(['WrapKey', 'UnWrapKey', 'GetReport', 'GetAttestationData', 'SayHello'])
    const Reflected = makeGenericClientConstructor(service as never, SERVICE)
    const client = new Reflected(`localhost:${sidecar.port}`, credentials.createInsecure())
    const reply = await new Promise((done, fail) => {
      const hello = client.SayHello as (message: object, answer: (error: unknown, reply: unknown) => void) => void
      hello.call(client, { name: 'reflected' }, (error, value) => (error ? fail(error) : done(value)))
    })
    client.close()
    expect(reply).toEqual({ message: 'Hello reflected' })
  })

  it('names fields in JSON as protoc does, for clients that speak JSON', async () => {
    const { file_descriptor_response: files } = await reflect(version, { file_containing_symbol: SERVICE })
    const file = descriptor.FileDescriptorProto.decode(files!.file_descriptor_proto[0]!) as unknown as {
      messageType: { field: { jsonName: string }[] }[]
    }
    const names = file.messageType.flatMap(({ field }) => field).map(({ jsonName }) => jsonName)
    expect(names).toEqual([
      'keyProviderKeyWrapProtocolInput',
      'keyProviderKeyWrapProtocolOutput',
      'reportDataHexString',
      'reportHexString',
      'b64RuntimeDataString',
      'endorsedTcb',
      'certs',
      'attestationReport',
      'uvmReferenceInfo',
      'name',
      'message',
    ])
  })

  it('does not know what is not there', async () => {
    const { error_response: error } = await reflect(version, { file_containing_symbol: 'key_provider.Nothing' })
    expect(error).toMatchObject({ error_code: 5 })
  })
})

/** A member of a FileDescriptorSet: field 1, length delimited. */
function tag(length: number): Buffer {
  const bytes = [0x0a]
  for (let rest = length; ; rest >>>= 7) {
    bytes.push(rest > 0x7f ? (rest & 0x7f) | 0x80 : rest)
    if (rest <= 0x7f) return Buffer.from(bytes)
  }
}
