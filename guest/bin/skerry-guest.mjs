#!/usr/bin/env node
import { setFlagsFromString } from 'node:v8'

// A container pays for memory. Left to itself V8 doubles what it has before it collects, grows the space for young objects
// to 64 MiB under load, and optimizes in a second stage what waits for the network most of the time: 185 MiB instead of
// 75 after ten thousand reports, and nothing here is faster for it.
if (process.versions.node.startsWith('24.')) {
  setFlagsFromString('--heap-growing-percent=20')
  setFlagsFromString('--semi-space-growth-factor=1')
  setFlagsFromString('--optimize-for-size')
  setFlagsFromString('--no-turbofan')
}
const { main } = await import('../dist/bundle/main.mjs')

await main(process.argv.slice(2))
