import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createRunner } from '../../emulator/src/run/index.ts'
import { needDevice } from '../support/need-device.ts'
import { type Command, ROOT, skerry, temporaryFolder } from '../support/skerry.ts'

/** KEY_INFO of a report: SIGNING_KEY, bits 4:2, is 1 (AMD 56860, table 23). */
const VLEK = 1 << 2

let folder: ReturnType<typeof temporaryFolder>
let data: string
let env: NodeJS.ProcessEnv
let up: Command
beforeAll(async () => {
  folder = temporaryFolder()
  data = join(folder.path, 'data')
  env = { ...process.env, XDG_RUNTIME_DIR: join(folder.path, 'runtime') }
  up = skerry(['up', '--data', data, '--json', '--vlek', '--report-version', '5'], env)
  await up.line(/^\{/)
})
afterAll(async () => {
  up?.child.kill('SIGTERM')
  await up?.ended
  folder?.[Symbol.dispose]()
})

const run = (...command: string[]) => skerry(['run', '--data', data, '--', ...command], env).ended

it('skerry run: a program finds of its instance the certificate to trust, and no key, token or state', async (ctx) => {
  const { device, notices } = await createRunner().capabilities()
  if (device !== 'mount-namespace') ctx.skip(notices.join(' '))
  expect(existsSync(join(data, 'state.sqlite'))).toBe(true)
  const look = `find ${data} ${env.XDG_RUNTIME_DIR} -type f; head -n 1 $SSL_CERT_FILE; ls $UVM_SECURITY_CONTEXT_DIR`
  const { stdout, code } = await run('/bin/sh', '-c', look)
  expect(stdout.trim().split('\n')).toEqual([
    join(data, 'authority', 'ca.pem'),
    '-----BEGIN CERTIFICATE-----',
    'host-amd-cert-base64',
    'reference-info-base64',
    'security-policy-base64',
    'transparent-reference-info-base64',
  ])
  expect(code).toBe(0)
})

it('skerry run: a program’s report has the digest of the policy, the debug bit and the VMPL that were asked for', async (ctx) => {
  await needDevice(ctx)
  const policy = join(folder.path, 'policy.rego')
  writeFileSync(policy, 'package policy')
  const flags = ['--policy', policy, '--debug', '--vmpl', '2', '--device', 'sev']
  const report = [process.execPath, join(ROOT, 'guest/bin/skerry-guest.mjs'), 'report', '--decode', '--vmpl', '2']
  const { stdout } = await skerry(['run', '--data', data, ...flags, '--', ...report], env).ended
  expect(JSON.parse(stdout)).toMatchObject({
    hostData: createHash('sha256').update('package policy').digest('hex'),
    // As on Azure (0x3001f), and DEBUG, bit 19.
    policy: '0xb001f',
    vmpl: 2,
  })
})

it('skerry run: a program’s report has the version, and is signed by the key, that skerry up was told', async (ctx) => {
  await needDevice(ctx)
  const { stdout } = await run(process.execPath, join(ROOT, 'guest/bin/skerry-guest.mjs'), 'report', '--decode')
  expect(JSON.parse(stdout)).toMatchObject({ version: 5, keyInfo: VLEK })
})

it('skerry run: says that the working directory was removed', () => {
  const script = 'mkdir "$1" && cd "$1" && rmdir "$1" && shift && exec "$@"'
  const words = [process.execPath, join(ROOT, 'emulator/bin/skerry.mjs'), 'run', '--data', data, '--', '/bin/true']
  const { stderr, status } = spawnSync('sh', ['-c', script, 'sh', join(folder.path, 'gone'), ...words], { env })
  expect({ stderr: stderr.toString(), status }).toEqual({
    stderr: 'skerry: the working directory was removed: the program has nowhere to run [ERR_WORKING_DIRECTORY]\n',
    status: 1,
  })
})

// The last of this file: its instance ends.
it('skerry run: says that its instance is gone when the program asks for a report', async (ctx) => {
  await needDevice(ctx)
  const script = 'echo ready; read line; exec "$@"'
  const report = [process.execPath, join(ROOT, 'guest/bin/skerry-guest.mjs'), 'report']
  const running = skerry(['run', '--data', data, '--', '/bin/sh', '-c', script, 'sh', ...report], env)
  await running.line(/ready/)
  up.child.kill('SIGTERM')
  await up.ended
  running.child.stdin.end('\n')
  const { stderr, code } = await running.ended
  expect(stderr).toMatch(/^skerry: the SNP device failed: the instance at http:\/\/127\.0\.0\.1:\d+ does not answer/m)
  expect(code).not.toBe(0)
})
