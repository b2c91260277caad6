// The Functions app as Azure gets it: one CommonJS file. @azure/functions-core exists only inside a host.
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

/**
 * @param {string} outfile where the bundle goes
 * @param {{ minify?: boolean }} [options] minified for the package: Azure loads it at every cold start
 */
export async function bundleApp(outfile, { minify = false } = {}) {
  await build({
    absWorkingDir: root,
    entryPoints: [join(root, 'functions/src/main.ts')],
    outfile,
    bundle: true,
    platform: 'node',
    target: 'node22',
    format: 'cjs',
    external: ['@azure/functions-core'],
    sourcemap: minify ? false : 'linked',
    minify,
    keepNames: true,
    legalComments: minify ? 'external' : 'none',
    logLevel: 'warning',
  })
}
