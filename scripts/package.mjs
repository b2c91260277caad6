// Makes the zip that Azure Functions deploys: the app's one bundle, host.json and a package.json without dependencies.
// Usage: npm run package [-- OUT.zip]
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { zipSync } from 'fflate'
import { bundleApp } from './bundle-app.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const out = resolve(process.argv[2] ?? join(root, 'functions/dist/skerry-functions.zip'))
const bundle = join(root, 'functions/dist/package/app.cjs')

await bundleApp(bundle, { minify: true })
const { name, version, engines } = {
  ...JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')),
  engines: { node: '>=22.19' },
}
mkdirSync(dirname(out), { recursive: true })
writeFileSync(
  out,
  zipSync({
    'app.cjs': readFileSync(bundle),
    'app.cjs.LEGAL.txt': readFileSync(`${bundle}.LEGAL.txt`),
    'host.json': readFileSync(join(root, 'host.json')),
    'package.json': Buffer.from(`${JSON.stringify({ name, version, private: true, engines, main: 'app.cjs' }, null, 2)}\n`),
  }),
)
process.stdout.write(`${out}\n`)
