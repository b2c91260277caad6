import fc from 'fast-check'

/*
 * What nobody means to send: values, texts, paths, queries, headers and bodies, made up or mutated out of valid ones.
 */

export const PROTOTYPE_NAMES = [
  '__proto__',
  'constructor',
  'prototype',
  'toString',
  'hasOwnProperty',
  'valueOf',
  'then',
]

/** Texts that some reader of names, numbers, times, encodings or patterns could stumble over. */
export const ODD_TEXTS: readonly string[] = [
  '',
  ' ',
  '\u0000',
  '\ud800',
  '\udfff\ud800',
  '\ufeff',
  'é',
  '日本',
  '😀'.repeat(100),
  '%',
  '%2F..%2F',
  '../../etc/passwd',
  '\r\nX-Injected: 1',
  '<script>',
  "'",
  '"',
  '\\',
  '[concat(1)]',
  '*',
  '/',
  '-1',
  '1e400',
  'NaN',
  'true',
  'null',
  'P999999999Y',
  'P99999999999999999999D',
  '-P1D',
  'P1.5D',
  'PT',
  'P0D',
  'P1Y2M3W4DT5H6M7S',
  '9999-12-31T23:59:59Z',
  '+275760-09-13T00:00:00.001Z',
  '0000-00-00T00:00:00Z',
  'x'.repeat(300),
  'x'.repeat(70_000),
  'A'.repeat(8191),
  'AA==',
  'A',
  '_-_-',
  '====',
  '!!!!',
  'eyJhbGciOiJub25lIn0.e30.',
  '..',
  '....',
  `${'a.'.repeat(1000)}a`,
  `${'a'.repeat(5000)}!`,
  ...PROTOTYPE_NAMES,
]

export const ODD_NUMBERS: readonly number[] = [
  0,
  -0,
  -1,
  1,
  0.5,
  -1.5,
  255,
  2 ** 31,
  2 ** 32 + 1,
  2 ** 53,
  -(2 ** 53),
  8_640_000_000_000,
  8_640_000_000_001,
  8_640_000_000_000_001,
  253_402_300_800,
  1e21,
  1e308,
  5e-324,
]

export const ODD_VALUES: readonly unknown[] = [
  null,
  true,
  false,
  [],
  [[]],
  [null],
  {},
  { a: { b: { c: null } } },
  [{}],
  ['__proto__'],
  Array.from({ length: 2000 }, (_, at) => at),
  Object.fromEntries(Array.from({ length: 2000 }, (_, at) => [`k${at}`, 'v'])),
  ...ODD_NUMBERS,
  ...ODD_TEXTS,
]

/** An object that cannot be made a text of, nor copied by the names of its members. */
const NO_OBJECT: unknown = JSON.parse(
  '{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}},"toString":1,"length":-1,"then":1}',
)

/** One of each kind: these are tried at every member there is. */
export const ODD_MEMBERS: readonly unknown[] = [
  ...[null, true, [], {}, [null], [{}], NO_OBJECT, [NO_OBJECT], Array.from({ length: 2000 }, (_, at) => at)],
  ...[-1, 0.5, 2 ** 53, 8_640_000_000_001, 1e308],
  ...['', '\u0000', '\ud800', '日本', '\r\nX-Injected: 1', '%', 'P999999999Y', '__proto__', 'constructor'],
  'x'.repeat(70_000),
]

export const oddValue: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...ODD_VALUES) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 4 }) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
  { weight: 1, arbitrary: fc.uint8Array({ maxLength: 600 }).map((bytes) => Buffer.from(bytes).toString('base64url')) },
  { weight: 1, arbitrary: fc.tuple(oddPart(), oddPart(), oddPart()).map((parts) => parts.join('.')) },
)

/** A part of a JWT. */
function oddPart(): fc.Arbitrary<string> {
  return fc.oneof(
    fc.constantFrom(
      '',
      'e30',
      'W10',
      'bnVsbA',
      'MQ',
      'eyJhbGciOiJIUzI1NiJ9',
      'eyJhbGciOiJSUzI1NiIsImtpZCI6Il9fcHJvdG9fXyJ9',
    ),
    fc.jsonValue({ maxDepth: 2 }).map((value) => Buffer.from(JSON.stringify(value) ?? '').toString('base64url')),
  )
}

/** A place in a JSON value: the names and indexes that lead to it. */
export type Place = readonly (string | number)[]

/** Every place of a value, its own first. */
export function placesOf(value: unknown, at: Place = []): Place[] {
  if (typeof value !== 'object' || value === null) return [at]
  const members = Array.isArray(value) ? [...value.entries()] : Object.entries(value)
  return [at, ...members.flatMap(([name, member]) => placesOf(member, [...at, name]))]
}

/** The value with another one at a place; `undefined`: without it. */
export function withAt(value: unknown, [name, ...rest]: Place, other: unknown): unknown {
  if (name === undefined) return other
  if (Array.isArray(value)) return value.map((item, at) => (at === name ? withAt(item, rest, other) : item))
  const members = Object.entries(value as object)
  const changed = members.map(([own, member]) => [own, own === name ? withAt(member, rest, other) : member] as const)
  return Object.fromEntries(changed.filter(([, member]) => member !== undefined))
}

const nested = (open: string, close: string, depth: number) => `${open.repeat(depth)}1${close.repeat(depth)}`

/** Bodies that are no JSON, or hardly. */
export const ODD_BODIES: readonly string[] = [
  '',
  ' ',
  'null',
  '[]',
  '"x"',
  '1e999',
  '-',
  '{',
  '{"a":',
  '{"a":1,}',
  '{"a":NaN}',
  '\u0000',
  '\ufeff{}',
  '{}{}',
  '<xml/>',
  '{"\\ud800":"\\udc00"}',
  nested('[', ']', 50_000),
  nested('{"a":', '}', 50_000),
  nested('{"properties":', '}', 2000),
  nested('{"release_policy":', '}', 2000),
]

/** The text of a body: a value of which a place was changed, or what is no body at all. */
export function oddBody(valid: unknown): fc.Arbitrary<string | Uint8Array<ArrayBuffer>> {
  const text = JSON.stringify(valid) ?? ''
  const places = placesOf(valid)
  const changed = fc
    .array(fc.tuple(fc.constantFrom(...places), fc.oneof(oddValue, fc.constant(undefined))), {
      minLength: 1,
      maxLength: 3,
    })
    .map((changes) => {
      let value = valid
      for (const [place, other] of changes) if (has(value, place)) value = withAt(value, place, other)
      return JSON.stringify(value) ?? ''
    })
  return fc.oneof(
    { weight: 8, arbitrary: changed },
    { weight: 2, arbitrary: fc.constantFrom(...ODD_BODIES) },
    // Cut off, or with every member twice.
    { weight: 1, arbitrary: fc.nat(text.length).map((length) => text.slice(0, length)) },
    { weight: 1, arbitrary: fc.constant(text.replace(/^\{(.+)\}$/s, '{$1,$1}')) },
    { weight: 1, arbitrary: fc.constant(text.replace(/^\{/, '{"__proto__":{"kty":"RSA"},"constructor":1,')) },
    { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }).map((bytes) => Uint8Array.from(bytes)) },
  )
}

function has(value: unknown, [name, ...rest]: Place): boolean {
  if (name === undefined) return true
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return false
  return has((value as Record<string | number, unknown>)[name], rest)
}

/** Segments that stand where a name is expected. */
export const ODD_SEGMENTS: readonly string[] = [
  '',
  '.',
  '%2e%2e',
  '%00',
  '%FF',
  '%',
  '%2F',
  '%5C',
  '%ED%A0%80',
  '+',
  'a b',
  'ä',
  '日本',
  '-',
  '_',
  'x'.repeat(127),
  'x'.repeat(128),
  'x'.repeat(9000),
  '0'.repeat(32),
  'F'.repeat(32),
  '../..',
  ';a=b',
  '*',
  '$batch',
  'create',
  'restore',
  'versions',
  'providers',
  'Microsoft.Authorization',
  ...PROTOTYPE_NAMES,
]

/** A path of which a segment was changed, doubled, dropped or added. */
export function oddPath(path: string): fc.Arbitrary<string> {
  const segments = path.split('/').slice(1)
  return fc
    .tuple(
      fc.nat(segments.length - 1),
      fc.constantFrom(...ODD_SEGMENTS),
      fc.constantFrom('change', 'add', 'drop', 'end', 'double', 'case'),
    )
    .map(([at, segment, how]) => {
      if (how === 'change') return `/${segments.with(at, segment).join('/')}`
      if (how === 'add') return `/${segments.toSpliced(at, 0, segment).join('/')}`
      if (how === 'drop') return `/${segments.toSpliced(at, 1).join('/')}`
      if (how === 'end') return `${path}/${segment}`
      if (how === 'double') return `/${segments.join('//')}`
      return path.toUpperCase()
    })
}

const QUERY_NAMES = [
  'api-version',
  'maxresults',
  '$skiptoken',
  '$filter',
  '$top',
  '$expand',
  'resource',
  'client_id',
  '__proto__',
]
const QUERY_VALUES = [
  ...ODD_TEXTS.filter((text) => text.length < 1000),
  '7.4',
  '7.6',
  '2026-04-01',
  '2023-05-01',
  '25',
  '26',
  'eyJOZXh0TWFya2VyIjoxfQ',
  'eyJOZXh0TWFya2VyIjoiXHUwMDAwIn0',
  'bnVsbA==',
  "principalId eq '",
  "displayName eq 'x' or true",
  '(((((((',
  "atScope() and assignedTo('x')",
]

/** A query of which a parameter was changed, doubled, dropped or added. */
export function oddQuery(query: string): fc.Arbitrary<string> {
  const pair = fc.tuple(fc.constantFrom(...QUERY_NAMES), fc.constantFrom(...QUERY_VALUES))
  return fc.oneof(
    pair.map(([name, value]) => `${query}&${name}=${encode(value)}`),
    pair.map(([name, value]) => `${name}=${encode(value)}${query === '' ? '' : `&${query}`}`),
    pair.map(([name, value]) => `${name}=${encode(value)}`),
    fc.constantFrom('', '&&&', '=', '%', '%00=%FF', `${'a=b&'.repeat(2000)}`, query.toUpperCase(), `${query}&${query}`),
  )
}

function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed())
}

const HEADERS: readonly (readonly [name: string, values: readonly string[]])[] = [
  [
    'authorization',
    [
      '',
      'Bearer',
      'Bearer ',
      'Bearer x',
      'Bearer a.b.c',
      'Bearer eyJhbGciOiJub25lIn0.e30.',
      'Basic Og==',
      'Basic %%%',
      'PoP x',
      `Bearer ${'a.'.repeat(4000)}`,
      'Bearer null',
      'Bearer W10.W10.W10',
      'Bearer eyJraWQiOiJfX3Byb3RvX18iLCJhbGciOiJSUzI1NiJ9.e30.AA',
    ],
  ],
  [
    'content-type',
    [
      '',
      'text/plain',
      'multipart/form-data',
      'application/json; charset=utf-16',
      'application/x-www-form-urlencoded',
      '\u00ff',
      '*/*',
    ],
  ],
  ['content-encoding', ['gzip', 'br', 'identity', 'x']],
  ['x-http-method', ['DELETE', 'GET', 'PUT', '', '__proto__', 'x'.repeat(500), 'delete']],
  ['x-ms-client-request-id', ['', '\u00ff\u00fe', 'x'.repeat(8000), '<script>']],
  ['accept', ['', 'text/html', '*/*;q=0']],
  ['metadata', ['', 'false', 'true', 'TRUE']],
  ['x-identity-header', ['', 'all.', '__proto__.x', 'x']],
  ['x-forwarded-for', ['127.0.0.1', '1.1.1.1']],
  ['origin', ['null', 'https://evil.example']],
  ['client-request-id', ['', '\u00ff', 'x'.repeat(8000)]],
  ['cookie', ['a=b', '__proto__=1', ';;;']],
]

export const oddHeader: fc.Arbitrary<readonly [name: string, value: string]> = fc
  .constantFrom(...HEADERS)
  .chain(([name, values]) => fc.constantFrom(...values).map((value) => [name, value] as const))

export const oddMethod = fc.constantFrom(
  'GET',
  'POST',
  'PUT',
  'PATCH',
  'DELETE',
  'HEAD',
  'OPTIONS',
  'QUERY',
  'get',
  'X',
)
