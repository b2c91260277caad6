import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { createRunner } from '../../emulator/src/run/index.ts'
import { homeIn, ROOT, skerry, temporaryFolder } from '../support/skerry.ts'

// examples/clients, as the README of the emulator has them run: the official clients, unchanged, in two shells.

const client = (name: string) => join(ROOT, 'examples', 'clients', name)

it('the example clients make a key, have it released in a guest, and are refused in a debuggable one', async (ctx) => {
  const { device, notices } = await createRunner().capabilities()
  if (device === 'none') ctx.skip(notices.join(' '))
  using folder = temporaryFolder()
  const home = homeIn(folder.path)
  const up = skerry(['up', '--json'], home)
  try {
    await up.line(/^\{/)
    const variables = JSON.parse((await skerry(['env', '--json'], home).ended).stdout) as NodeJS.ProcessEnv
    const shell = { ...home, ...variables }
    const made = await promisify(execFile)(process.execPath, [client('make-key.mjs')], { env: shell })
    const kid = made.stdout.trim()
    expect(kid).toMatch(/^https:\/\/skerry\.vault\.azure\.net\/keys\/my-key\/[0-9a-f]{32}$/)

    const release = [process.execPath, client('release-key.mjs')]
    const released = await skerry(['run', '--', ...release], shell).ended
    expect(released.stdout, released.stderr).toMatch(
      new RegExp(`^released ${kid}: \\d+ bytes under an AES key of 256 bits`),
    )
    const refused = await skerry(['run', '--debug', '--', ...release], shell).ended
    expect(refused.stderr).toContain('Target environment attestation does not meet key release policy requirements')
    expect((await skerry(['explain'], shell).ended).stdout).toMatch(
      /^keyvault denied release of [^\n]+answered 403[\s\S]*✗ x-ms-sevsnpvm-is-debuggable\n +wanted +false\n +found +true/,
    )
  } finally {
    up.child.kill('SIGTERM')
    await up.ended
  }
})
