// Makes the zip that Azure Functions deploys: the app's one bundle, host.json and a package.json without dependencies.
// Usage: npm run package [-- OUT.zip]
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { zipSync } from 'fflate'
import { bundleApp } from './bundle-app.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const out = resolve(process.argv[2] ?? join(root, 'functions/dist/skerry-functions.zip'))
const workshop = mkdtempSync(join(tmpdir(), 'skerry-package-'))
const bundle = join(workshop, 'app.cjs')

try {
  await bundleApp(bundle, { minify: true })
  const { name, version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const manifest = { name, version, private: true, engines: { node: '>=22.19' }, main: 'app.cjs' }
  mkdirSync(dirname(out), { recursive: true })
  writeFileSync(
    out,
    zipSync(
      {
        'app.cjs': readFileSync(bundle),
        'app.cjs.LEGAL.txt': readFileSync(`${bundle}.LEGAL.txt`),
        'host.json': readFileSync(join(root, 'host.json')),
        'package.json': Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`),
      },
      // The same sources make the same bytes, whenever they are packed.
      { mtime: new Date(1980, 0, 1) },
    ),
  )
  process.stdout.write(`${out}\n`)
} finally {
  rmSync(workshop, { recursive: true, force: true })
}
