// The Functions app as Azure gets it: one CommonJS file. @azure/functions-core exists only inside a host.
import { build } from 'esbuild'

/** @param {string} outfile where the bundle goes */
export async function bundleApp(outfile) {
  await build({
    entryPoints: ['functions/src/main.ts'],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'cjs',
    external: ['@azure/functions-core'],
    sourcemap: true,
    legalComments: 'none',
    logLevel: 'warning',
  })
}
