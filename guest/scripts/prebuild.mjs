// Puts the native part, compiled on this machine, where the published package brings it along:
// prebuilds/linux-{arch}/snp_device.{glibc|musl}.node. Run once for each processor and C library before publishing.
import { copyFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildNative } from '../../scripts/build-native.mjs'

const guest = dirname(dirname(fileURLToPath(import.meta.url)))
if (process.platform !== 'linux') throw new Error(`the native part is for Linux; this is ${process.platform}`)
await buildNative(dirname(guest), [join(guest, 'native')])
const compiled = join(guest, 'native/build/Release/snp_device.node')
if (!existsSync(compiled)) throw new Error(`${compiled} was not made`)
// Node's own binaries run from glibc 2.28 on; what is published must not ask for more.
const asked = [...readFileSync(compiled, 'latin1').matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor))
const newest = Math.max(0, ...asked)
if (newest > 28)
  throw new Error(`made here it would ask for glibc 2.${newest}, and Node for 2.28: make it on an older system`)
const libc = process.report.getReport().header.glibcVersionRuntime === undefined ? 'musl' : 'glibc'
const prebuilt = join(guest, `prebuilds/linux-${process.arch}/snp_device.${libc}.node`)
mkdirSync(dirname(prebuilt), { recursive: true })
copyFileSync(compiled, prebuilt)
process.stdout.write(`${prebuilt}\n`)
