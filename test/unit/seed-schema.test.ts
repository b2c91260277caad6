import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { readSeedFile } from '../../emulator/src/seed/index.ts'
import { SEED_SCHEMA_FILE, seedSchema } from '../support/seed-schema.ts'
import { ROOT } from '../support/skerry.ts'

describe('the JSON Schema of seed files', () => {
  it('says what the validator says (node test/support/seed-schema.ts writes it anew)', () => {
    expect(JSON.parse(readFileSync(SEED_SCHEMA_FILE, 'utf8'))).toEqual(JSON.parse(JSON.stringify(seedSchema())))
  })

  it('is what the example names, which the validator takes', () => {
    const { document, warnings } = readSeedFile(`${ROOT}/examples/seed.json`)
    expect(document.$schema).toBe('../emulator/seed.schema.json')
    expect(warnings).toEqual([])
  })
})
