import { createPrivateKey } from 'node:crypto'
import * as v from 'valibot'
import { firstIssue, pointerOf } from '../core/json-pointer.ts'
import { STATE_FORMAT, STATE_VERSION, type StateDocument } from './document.ts'
import { StateError } from './error.ts'
import { LARGEST_FILE, LONGEST_KEY, LONGEST_OFFSET_MS, MOST_COLLECTIONS, MOST_DOCUMENTS, MOST_FILES } from './limits.ts'
import { DOCUMENT_SHAPES } from './shapes.ts'

const guid = v.pipe(v.string('a GUID'), v.uuid('a GUID'))
const time = v.pipe(
  v.string('an ISO 8601 time'),
  v.check((text) => !Number.isNaN(Date.parse(text)), 'an ISO 8601 time'),
)

const header = v.looseObject({
  format: v.literal(STATE_FORMAT, `${JSON.stringify(STATE_FORMAT)}: this is no state of Skerry's`),
  version: v.literal(STATE_VERSION, `${STATE_VERSION}, the version that this Skerry reads`),
})

const state = v.strictObject({
  format: v.literal(STATE_FORMAT),
  version: v.literal(STATE_VERSION),
  exportedAt: time,
  clock: v.strictObject({
    time,
    offsetMs: v.pipe(
      v.number('a number of milliseconds'),
      v.minValue(0, 'not negative'),
      v.maxValue(LONGEST_OFFSET_MS, 'at most a hundred years'),
    ),
  }),
  seed: v.looseObject({
    tenantId: guid,
    subscriptionId: guid,
    admin: v.looseObject({ clientId: guid, objectId: guid, clientSecret: v.string('a text') }),
  }),
  collections: v.record(v.string(), v.record(v.string(), v.unknown(), 'an object'), 'an object of collections'),
  files: v.record(v.string(), v.string('the text of a file'), 'an object of files'),
})

/** The document, when all of it is in order. @throws StateError naming the first place that is not */
export function checkState(json: unknown): StateDocument {
  requireShape(header, json)
  requireShape(state, json)
  // What was given, and not what the validator made of it: it passes over a member named `__proto__`.
  const document = json as StateDocument
  checkCollections(document)
  checkMaterial(document)
  checkFiles(document)
  return document
}

function requireShape(schema: v.GenericSchema, json: unknown, at: readonly (string | number)[] = []): void {
  const result = v.safeParse(schema, json, { abortEarly: true })
  if (result.success) return
  const { path, wanted } = firstIssue(result.issues)
  throw new StateError(`wanted ${wanted}`, pointerOf([...at, ...path]))
}

function checkCollections({ collections }: StateDocument): void {
  const names = Object.keys(collections)
  if (names.length > MOST_COLLECTIONS)
    throw new StateError(`wanted at most ${MOST_COLLECTIONS} collections`, '/collections')
  let documents = 0
  for (const name of names) {
    const at = ['collections', name]
    if (!/^[A-Za-z][\w.-]{0,63}$/.test(name)) throw new StateError('wanted the name of a collection', pointerOf(at))
    const entries = Object.entries(collections[name]!)
    documents += entries.length
    if (documents > MOST_DOCUMENTS)
      throw new StateError(`wanted at most ${MOST_DOCUMENTS} documents in all`, '/collections')
    const shape = DOCUMENT_SHAPES[name]
    for (const [key, value] of entries) {
      if (key.length > LONGEST_KEY)
        throw new StateError(`wanted keys of at most ${LONGEST_KEY} characters`, pointerOf(at))
      if (shape !== undefined) requireShape(shape, value, [...at, key])
    }
  }
}

/** A version without its secret part would be a key that answers 500. */
function checkMaterial({ collections }: StateDocument): void {
  const materials = collections['keyvault.material'] ?? {}
  for (const [key, value] of Object.entries(collections['keyvault.keys'] ?? {})) {
    const { versions } = value as { versions: readonly { version: string }[] }
    const missing = versions.find(({ version }) => !Object.hasOwn(materials, `${key}/${version}`))
    if (missing !== undefined) {
      throw new StateError(
        'wanted the material of every version of the key',
        pointerOf(['collections', 'keyvault.keys', key]),
      )
    }
  }
}

function checkFiles({ files }: StateDocument): void {
  const names = Object.keys(files)
  if (names.length > MOST_FILES) throw new StateError(`wanted at most ${MOST_FILES} files`, '/files')
  for (const name of names) {
    const at = pointerOf(['files', name])
    if (!/^[A-Za-z0-9][\w.%*-]{0,199}$/.test(name)) throw new StateError('wanted the name of a file', at)
    const text = files[name]!
    if (text.length > LARGEST_FILE) throw new StateError(`wanted at most ${LARGEST_FILE} characters`, at)
    if (/-(rsa-\d+|ec-p-\d+)\.pem$/.test(name) && !isPrivateKey(text)) {
      throw new StateError('wanted a private key: PKCS#8 in PEM', at)
    }
  }
}

function isPrivateKey(pem: string): boolean {
  try {
    createPrivateKey(pem)
    return true
  } catch {
    return false
  }
}
