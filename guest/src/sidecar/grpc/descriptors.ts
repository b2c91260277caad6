import type { PackageDefinition } from '@grpc/proto-loader'
import descriptor from 'protobufjs/ext/descriptor/index.js'

/**
 * The same definition with the JSON name of every field in its file descriptors, as protoc writes them. The loader leaves
 * them out, and clients that learn a service by reflection and speak JSON (grpcurl) then use other names.
 */
export function withJsonNames(definition: PackageDefinition): PackageDefinition {
  const members = Object.entries(definition).map(([name, member]) => {
    // Of messages and enumerations; a service has methods instead.
    const files = 'fileDescriptorProtos' in member ? member.fileDescriptorProtos : undefined
    return [name, Array.isArray(files) ? { ...member, fileDescriptorProtos: files.map(namedInJson) } : member] as const
  })
  return Object.fromEntries(members) as PackageDefinition
}

function namedInJson(bytes: Buffer): Buffer {
  const file = descriptor.FileDescriptorProto.toObject(descriptor.FileDescriptorProto.decode(bytes)) as {
    messageType?: { field?: { name: string; jsonName?: string }[] }[]
  }
  for (const message of file.messageType ?? [])
    for (const field of message.field ?? []) field.jsonName = lowerCamelCase(field.name)
  return Buffer.from(descriptor.FileDescriptorProto.encode(descriptor.FileDescriptorProto.fromObject(file)).finish())
}

/** As protoc makes a JSON name: the letter behind each underscore is upper case. */
function lowerCamelCase(name: string): string {
  return name.replaceAll(/_+(.?)/g, (_, letter: string) => letter.toUpperCase())
}
