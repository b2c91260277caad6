// The command `skerry-guest` as few files: a sidecar must answer soon after it is started, and 200 small modules took
// longer to load than all the rest, and 25 MB more memory. The library itself stays in modules (guest/dist).
import { readdir, rm } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { build } from 'esbuild'

/** What is loaded from node_modules as it is: gRPC reads files beside it, undici is for old versions of Node alone. */
const EXTERNAL = ['@grpc/*', 'protobufjs', 'undici']

/** @param {string} root the repository's root */
export async function bundleGuest(root) {
  const outdir = join(root, 'guest/dist/bundle')
  const { metafile } = await build({
    absWorkingDir: root,
    entryPoints: [join(root, 'guest/src/cli/main.ts')],
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    platform: 'node',
    target: 'node22',
    format: 'esm',
    external: EXTERNAL,
    minifyWhitespace: true,
    minifySyntax: true,
    legalComments: 'linked',
    // CommonJS packages inside ask for Node's own modules this way.
    banner: { js: "import{createRequire as requireOf}from'node:module';const require=requireOf(import.meta.url);" },
    metafile: true,
    logLevel: 'warning',
  })
  // A program that is starting meanwhile finds its files: only then those of earlier builds go.
  const made = new Set(Object.keys(metafile.outputs).map((file) => basename(file)))
  const old = (await readdir(outdir)).filter((file) => !made.has(file))
  await Promise.all(old.map((file) => rm(join(outdir, file))))
}
