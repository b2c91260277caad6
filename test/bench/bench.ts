import { cpus } from 'node:os'
import { parseArgs } from 'node:util'
import { benchAttestation } from './attestation.ts'
import { benchKeys } from './keys.ts'
import { benchRelease } from './release-section.ts'
import { benchRun } from './run-section.ts'
import { benchShare } from './share-section.ts'
import { benchSidecar } from './sidecar-section.ts'
import { benchStart } from './start-section.ts'
import { benchVault } from './vault.ts'

// npm run bench [-- [--quick] [vault] [keys] [attestation] [release] [share] [sidecar] [run] [start]]: what the emulator costs, beside what it cannot cost less
// than. It says numbers and judges none. --quick takes fewer samples, to see that all of it runs.

const { values, positionals } = parseArgs({ allowPositionals: true, options: { quick: { type: 'boolean' } } })
const { quick = false } = values
const say = (line = '') => process.stdout.write(`${line}\n`)

const SECTIONS: Readonly<Record<string, () => Promise<void>>> = {
  vault: () => benchVault({ say, count: quick ? 300 : 6000 }),
  keys: () => benchKeys({ say, steps: quick ? [100, 300] : [1000, 10_000] }),
  attestation: () => benchAttestation({ say, count: quick ? 300 : 6000 }),
  release: () => benchRelease({ say, count: quick ? 40 : 400 }),
  share: () => benchShare({ say, count: quick ? 100 : 2000 }),
  sidecar: () => benchSidecar({ say, quick }),
  run: () => benchRun({ say, count: quick ? 500 : 20_000 }),
  start: () => benchStart({ say, count: quick ? 1 : 5 }),
}

const wanted = positionals.length === 0 ? Object.keys(SECTIONS) : positionals
const unknown = wanted.find((name) => !(name in SECTIONS))
if (unknown === undefined) {
  say(`Node ${process.version}, OpenSSL ${process.versions.openssl}, ${cpus().length} x ${cpus()[0]?.model ?? 'CPU'}`)
  for (const name of wanted) await SECTIONS[name]!()
} else {
  process.stderr.write(`${unknown} is none of ${Object.keys(SECTIONS).join(', ')}\n`)
  process.exitCode = 2
}
