import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { createRunner } from '../../emulator/src/run/index.ts'
import { skerry, temporaryFolder } from '../support/skerry.ts'

it('skerry run: a program finds of its instance the certificate to trust, and no key, token or state', async (ctx) => {
  const { device, notices } = await createRunner().capabilities()
  if (device !== 'mount-namespace') ctx.skip(notices.join(' '))
  using folder = temporaryFolder()
  const data = join(folder.path, 'data')
  const env = { ...process.env, XDG_RUNTIME_DIR: join(folder.path, 'runtime') }
  const up = skerry(['up', '--data', data, '--json'], env)
  try {
    await up.line(/^\{/)
    expect(existsSync(join(data, 'state.sqlite'))).toBe(true)
    const look = `find ${data} ${env.XDG_RUNTIME_DIR} -type f; head -n 1 $SSL_CERT_FILE; ls $UVM_SECURITY_CONTEXT_DIR | wc -l`
    const { stdout, code } = await skerry(['run', '--data', data, '--', '/bin/sh', '-c', look], env).ended
    expect(stdout.trim().split('\n')).toEqual([join(data, 'authority', 'ca.pem'), '-----BEGIN CERTIFICATE-----', '3'])
    expect(code).toBe(0)
  } finally {
    up.child.kill('SIGTERM')
    await up.ended
  }
})
