import { defineConfig } from 'vitest/config'

export default defineConfig({
  resolve: { conditions: ['skerry-source'] },
  ssr: { resolve: { conditions: ['skerry-source'] } },
  test: {
    include: ['{guest,emulator,functions}/src/**/*.test.ts', 'test/**/*.test.ts'],
    reporters: ['default', './test/support/closing-line.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
})
