import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { toJsonSchema } from '@valibot/to-json-schema'
import { SeedSchema } from '../../emulator/src/seed/schema.ts'

/*
 * The JSON Schema of seed files, for editors, out of the validator. `node test/support/seed-schema.ts` writes it anew, and `npm run format` in the way of all files.
 */

export const SEED_SCHEMA_FILE = fileURLToPath(new URL('../../emulator/seed.schema.json', import.meta.url))

export function seedSchema(): object {
  // A member that is absent is as good as one that is not required; JSON has no other.
  const schema = toJsonSchema(SeedSchema, { typeMode: 'input', errorMode: 'throw' })
  return { $schema: 'http://json-schema.org/draft-07/schema#', ...schema }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  writeFileSync(SEED_SCHEMA_FILE, JSON.stringify(seedSchema()))
}
