#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8'

// A container pays for memory. Left to itself V8 doubles what it has before it collects, and grows the space for young
// objects to 64 MiB under load: 185 MiB instead of 100 after ten thousand reports, and nothing here is faster for it.
if (process.versions.node.startsWith('24.')) {
  setFlagsFromString('--heap-growing-percent=20')
  setFlagsFromString('--semi-space-growth-factor=1')
}
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)
if (!(major === 22 ? minor >= 19 : major === 24 ? minor >= 5 : major > 24)) {
  process.stderr.write(
    `skerry-guest: needs Node 22.19 and later, or 24.5 and later; this is ${process.versions.node}\n`,
  )
  process.exit(1)
}
const { main } = await import('../dist/bundle/main.mjs')

await main(process.argv.slice(2))
