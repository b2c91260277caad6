import { defineConfig } from 'vitest/config'

/**
 * Rooms whose tests leave nothing behind in their process (no MSW, no credential that remembers who it was, no variable of
 * the environment): their files share one, which spares each of them the loading of what all of them import.
 */
const TOGETHER = [
  'guest/src/{attest,cli,device,http,maa,uvm,wire}/**/*.test.ts',
  'guest/src/{skr/!(release),sidecar/!(app|start),sidecar/grpc/*,thim/sources}.test.ts',
  'emulator/src/{arm,cli,control,core,events,graph,kds,keyvault,maa,psp,rbac,seed,state}/**/*.test.ts',
  'emulator/src/entra/!(entra).test.ts',
  'emulator/src/{aci,host/durable,host/http,host/timers,run,run/oci}/*.test.ts',
  'functions/src/{azure,deployment,http}/**/*.test.ts',
  'test/{conformance,unit}/*.test.ts',
]

export default defineConfig({
  resolve: { conditions: ['skerry-source'] },
  ssr: { resolve: { conditions: ['skerry-source'] } },
  test: {
    reporters: ['default', './test/support/closing-line.ts'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // Many files wait for processes of their own: a worker for each of two cores, and none kept back for vitest itself.
    maxWorkers: 2,
    projects: [
      { extends: true, test: { name: 'together', include: TOGETHER, isolate: false } },
      {
        extends: true,
        test: {
          name: 'apart',
          include: ['{guest,emulator,functions}/src/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: TOGETHER,
        },
      },
    ],
  },
})
