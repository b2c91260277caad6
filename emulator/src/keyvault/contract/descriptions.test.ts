import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { type Member, OBJECTS, type ObjectName, type Type } from './objects.ts'
import { type CoveredOperation, OPERATIONS, type OperationFacts } from './operations.ts'

/*
 * The contract held against the OpenAPI files themselves, where the authors have them beside this repository: both ways,
 * so that neither has what the other lacks.
 */

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), '../../../../../shared/specs')

interface Schema {
  readonly type?: string
  readonly format?: string
  readonly $ref?: string
  readonly items?: Schema
  readonly enum?: readonly string[]
  readonly additionalProperties?: unknown
  readonly allOf?: readonly Schema[]
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly schema?: Schema
}

interface Description {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Endpoint>>>>
  readonly definitions: Readonly<Record<string, Schema>>
}

interface Endpoint {
  readonly responses: Readonly<Record<string, { readonly schema?: Schema }>>
  readonly parameters?: readonly { readonly in?: string; readonly schema?: Schema }[]
}

const read = (file: string): Description => JSON.parse(readFileSync(join(FOLDER, file), 'utf8'))
const nameOf = (ref: string) => ref.slice(ref.lastIndexOf('/') + 1)

const FILES = [
  { file: '7.4-keys.json', more: ['7.4-common.json'], newest: false },
  { file: '2026-04-01-keys.reconstructed.json', more: [], newest: true },
].filter(({ file, more }) => [file, ...more].every((name) => existsSync(join(FOLDER, name))))

/** What we do not do: 501. */
const NOT_COVERED = [/\/secure(un)?wrapkey$/]

describe.skipIf(FILES.length === 0)(
  'the contract says what the published descriptions say (skipped where ../shared/specs is absent)',
  () => {
    it.each(FILES)('$file: the operations', ({ file, newest }) => {
      const { paths, definitions } = read(file)
      const described = Object.entries(paths).flatMap(([path, methods]) =>
        Object.entries(methods)
          .filter(([method]) => ['get', 'put', 'post', 'patch', 'delete'].includes(method))
          .filter(() => !NOT_COVERED.some((pattern) => pattern.test(path)))
          .map(([method, { responses, parameters = [] }]) => {
            const answer = responses['200']?.schema?.$ref
            const body = parameters.find((parameter) => parameter.in === 'body')?.schema
            const required = body?.$ref === undefined ? body?.required : definitions[nameOf(body.$ref)]?.required
            return lineOf({
              method: method.toUpperCase() as OperationFacts['method'],
              path,
              ...(answer === undefined ? {} : { answer: nameOf(answer) as ObjectName }),
              ...(required === undefined ? {} : { required }),
            })
          }),
      )
      const ours = Object.values(OPERATIONS).filter(({ since }) => newest || since === undefined)
      expect(ours.map(lineOf).toSorted()).toEqual(described.toSorted())
    })

    it.each(FILES)('$file: the members of every answer, and their types', ({ file, more, newest }) => {
      const definitions = Object.assign({}, ...[file, ...more].map((name) => read(name).definitions))
      const names = Object.keys(OBJECTS).filter((name) => newest || !['KeyAttestation', 'ExternalKey'].includes(name))
      for (const name of names as ObjectName[]) {
        const ours = Object.entries(OBJECTS[name] as Readonly<Record<string, Member>>)
          .filter(([, { seen, since }]) => seen === undefined && (newest || since === undefined))
          .map(([member, { type }]) => `${member}: ${typeName(type)}`)
        const theirs = propertiesOf(definitions, definitions[name]).map(
          ([member, schema]) => `${member}: ${describedType(definitions, schema)}`,
        )
        expect([name, ...ours.toSorted()]).toEqual([name, ...theirs.toSorted()])
      }
    })
  },
)

it('no operation stands in the contract under two request lines', () => {
  const lines = (Object.keys(OPERATIONS) as CoveredOperation[]).map((name) => lineOf(OPERATIONS[name]))
  expect(new Set(lines).size).toBe(lines.length)
})

function lineOf({ method, path, answer, required }: OperationFacts): string {
  return `${method} ${path} ${[...(required ?? [])].toSorted().join(',')} -> ${answer ?? '204'}`
}

function propertiesOf(definitions: Description['definitions'], schema: Schema | undefined): [string, Schema][] {
  const inherited = (schema?.allOf ?? []).flatMap(({ $ref }) =>
    $ref === undefined ? [] : propertiesOf(definitions, definitions[nameOf($ref)]),
  )
  return [...inherited, ...Object.entries(schema?.properties ?? {})]
}

/** Enumerations are texts, and the two files disagree on where they stand. */
function describedType(definitions: Description['definitions'], schema: Schema): string {
  if (schema.$ref !== undefined) {
    const name = nameOf(schema.$ref)
    return definitions[name]?.enum === undefined ? name : 'string'
  }
  if (schema.type === 'array') {
    const inner = schema.items?.$ref
    return inner === undefined || definitions[nameOf(inner)]?.enum !== undefined ? 'strings' : `${nameOf(inner)}[]`
  }
  if (schema.type === 'object') return 'tags'
  if (schema.format === 'base64url' || schema.format === 'unixtime') return schema.format
  return schema.type ?? '?'
}

function typeName(type: Type): string {
  if (typeof type === 'string') return type
  return 'object' in type ? type.object : `${type.list}[]`
}
