// Copies packages and what they depend on: what the bundled command loads from beside it, and nothing more.
// Usage: node copy-modules.mjs FROM TO PACKAGE...
import { cpSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

const [from, to, ...wanted] = process.argv.slice(2)
const copied = new Set()
for (const name of wanted) copy(name, [from])

/** A package's own node_modules come with it; others are found where Node looks, from the inside out. */
function copy(name, places) {
  const place = places.findLast((folder) => existsSync(join(folder, name, 'package.json')))
  if (place === undefined) throw new Error(`${name} is not in ${places.join(' or ')}`)
  const folder = join(place, name)
  if (copied.has(folder)) return
  copied.add(folder)
  if (place === from) cpSync(folder, join(to, name), { recursive: true })
  const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
  for (const needed of Object.keys(dependencies).filter((one) => !one.startsWith('@types/')))
    copy(needed, [...places, join(folder, 'node_modules')])
}
