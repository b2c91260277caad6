import { createPrivateKey, createPublicKey, hkdfSync } from 'node:crypto'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { createRunner } from '../../emulator/src/run/index.ts'
import { type Command, ROOT, skerry, temporaryFolder } from '../support/skerry.ts'

/*
 * The commands of skerry-guest as a person types them, below `skerry run`, with the key of examples/seed.json.
 */

const GUEST = join(ROOT, 'guest/bin/skerry-guest.mjs')
const MAA = 'sharedweu.weu.attest.azure.net'
const KEY = ['--maa', MAA, '--akv', 'contoso-payments.vault.azure.net', '--kid', 'sealed']

let folder: ReturnType<typeof temporaryFolder>
let env: NodeJS.ProcessEnv
let up: Command
beforeAll(async () => {
  folder = temporaryFolder()
  env = { ...process.env, XDG_RUNTIME_DIR: join(folder.path, 'runtime') }
  up = skerry(['up', '--json', '--seed', join(ROOT, 'examples/seed.json')], env)
  await up.line(/^\{/)
})
afterAll(async () => {
  up?.child.kill('SIGTERM')
  await up?.ended
  folder?.[Symbol.dispose]()
})
beforeEach(async (ctx) => {
  const { device, notices } = await createRunner().capabilities()
  if (device === 'none') ctx.skip(notices.join(' '))
})

const guest = (args: readonly string[], options: readonly string[] = []) =>
  skerry(['run', '--identity', 'payments', ...options, '--', process.execPath, GUEST, ...args], env).ended

describe('skerry-guest', () => {
  it.each(['sev-guest', 'sev'])('reports what the processor says, by /dev/%s', async (device) => {
    const { stdout } = await guest(['report', '--decode'], ['--device', device])
    expect(JSON.parse(stdout)).toMatchObject({ signatureAlgo: 1, hostData: expect.stringMatching(/^[0-9a-f]{64}$/) })
  })

  it.each(['Milan', 'Genoa', 'Turin'])('is attested on %s, for who challenged it', async (product) => {
    const { stdout, stderr } = await guest(['attest', '--maa', MAA, '--nonce', 'who?'], ['--product', product])
    expect(stderr).toBe('')
    expect(JSON.parse(stdout)).toMatchObject({
      nonce: 'who?',
      iss: `https://${MAA}`,
      'x-ms-attestation-type': 'sevsnpvm',
      'x-ms-compliance-status': 'azure-compliant-uvm',
    })
  })

  it.each([
    ['kds', 'Milan'],
    ['kds', 'Genoa'],
    ['kds', 'Turin'],
    ['azcache', 'Milan'],
    ['azcache', 'Turin'],
    ['host,kds', 'Genoa'],
  ])('is attested with certificates of %s on %s, where the host brought none', async (sources, product) => {
    const command = [process.execPath, GUEST, 'attest', '--maa', MAA, '--certificates', sources]
    const { stdout, stderr, code } = await skerry(
      ['run', '--product', product, '--', 'env', 'UVM_SECURITY_CONTEXT_DIR=/nowhere', ...command],
      env,
    ).ended
    expect([stderr, code]).toEqual(['', 0])
    const claims = JSON.parse(stdout)
    expect(claims).toMatchObject({ 'x-ms-attestation-type': 'sevsnpvm' })
    // Without a security context there is no endorsement either.
    expect(claims).not.toHaveProperty('x-ms-compliance-status')
  })

  it('gives one key to a file, a descriptor and a program, in each form', async () => {
    const file = join(folder.path, 'key.jwk')
    const toFile = await guest(['release', ...KEY, '--to-file', file])
    expect([toFile.code, toFile.stderr, statSync(file).mode & 0o777]).toEqual([0, '', 0o600])
    const jwk = JSON.parse(readFileSync(file, 'utf8'))
    const spki = (key: Parameters<typeof createPrivateKey>[0]) =>
      createPublicKey(createPrivateKey(key)).export({ format: 'der', type: 'spki' }).toString('hex')
    const wanted = spki({ key: jwk, format: 'jwk' })

    const toFd = await guest(['release', ...KEY, '--format', 'pem', '--to-fd', '1'])
    expect(spki(toFd.stdout)).toBe(wanted)

    const app = ['exec', ...KEY, '--format', 'pem', '--', 'sh', '-c', 'cat $SKERRY_KEY_FILE; exit 9']
    const toProgram = await guest(app)
    expect([toProgram.code, spki(toProgram.stdout)]).toEqual([9, wanted])

    const salt = '00112233'
    const form = ['--derive-salt', salt, '--format', 'hex']
    const derived = ['release', ...KEY, ...form, '--to-env', 'DISK_KEY', '--', 'printenv', 'DISK_KEY']
    const info = 'Symmetric Encryption Key'
    const byHand = hkdfSync('sha256', Buffer.from(jwk.d, 'base64url'), Buffer.from(salt, 'hex'), info, 32)
    expect((await guest(derived)).stdout).toBe(`${Buffer.from(byHand).toString('hex')}\n`)
  })

  it('says by its exit code who refused: the vault, here, a guest that may be debugged', async () => {
    const file = join(folder.path, 'none')
    const { code, stderr } = await guest(['release', ...KEY, '--to-file', file], ['--debug'])
    expect([code, existsSync(file)]).toEqual([5, false])
    expect(stderr).toContain('403')
  })
})
