import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import type { Recording } from './recordings/exchange.ts'
import { Replay, SLOW } from './recordings/replay.ts'
import { createVaultWorld } from './test-vaults.ts'

/*
 * Traffic of the live services, recorded by Microsoft's SDK tests (MIT licence) and kept beside this repository where
 * its authors have it: each request is sent again and the answer compared, member for member and in order. What the
 * services have changed since, or what differs from run to run, is levelled out by name, with its reason (recordings/).
 */

const FOLDER = join(dirname(fileURLToPath(import.meta.url)), '../../../../shared/vectors/recordings')

const files = existsSync(FOLDER) ? readdirSync(FOLDER).filter((name) => /^(vault|mhsm)-.*\.json$/.test(name)) : []

describe.skipIf(files.length === 0)('recorded traffic (skipped where ../shared/vectors/recordings is absent)', () => {
  it.each(files)('%s', async (file) => {
    const { service, exchanges } = JSON.parse(readFileSync(join(FOLDER, file), 'utf8')) as Recording
    const replay = new Replay(createVaultWorld({ faults: SLOW }), service, exchanges)
    for (const [index, exchange] of exchanges.entries()) {
      const comparison = await replay.compare(exchange)
      if (comparison === undefined) continue
      const { ours, recorded } = comparison
      const where = `${file} #${index} ${exchange.method} ${exchange.url}`
      expect({ where, ...ours }).toEqual({ where, ...recorded })
      // Equal objects may differ in the order of their members.
      expect(JSON.stringify(ours.body)).toBe(JSON.stringify(recorded.body))
    }
  })
})
