import { defineConfig } from 'vitest/config'

/** The official clients of other languages. `npm test` does not run these: they fetch what they need. */
export default defineConfig({
  resolve: { conditions: ['skerry-source'] },
  ssr: { resolve: { conditions: ['skerry-source'] } },
  test: {
    include: ['test/languages/*.suite.ts'],
    reporters: ['default', './test/support/closing-line.ts'],
    testTimeout: 60_000,
    hookTimeout: 900_000,
    pool: 'forks',
    // They share two cores with a compiler: one after the other.
    fileParallelism: false,
  },
})
