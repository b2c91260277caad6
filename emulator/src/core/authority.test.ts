import { execFile } from 'node:child_process'
import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import { beforeEach, describe, expect, it } from 'vitest'
import { type AuthorityOptions, NameNotPermittedError, openAuthority, ROOT_FILE } from './authority.ts'
import { systemClock } from './clock.ts'
import { memoryKeyCache } from './keys.ts'
import { mintLeaf } from './mint.ts'
import { directoryFiles, memoryFiles, type PrivateFiles } from './private-files.ts'
import { systemRandom } from './random.ts'

const DAY_MS = 86_400_000
const NOW = Date.parse('2026-06-01T00:00:00Z')
const HOST = 'v.vault.azure.net'

const keys = memoryKeyCache()
const options = (files: PrivateFiles, now = NOW): AuthorityOptions => ({
  files,
  keys,
  random: systemRandom(),
  now: () => now,
  label: '/home/me/.local/state/skerry',
})

/** Runs `use` with the PEM texts as files; `verify` is `openssl verify`, at a time when the certificates are valid. */
async function withOpenssl(
  texts: Record<string, string>,
  skip: (why: string) => void,
  use: (verify: (...args: string[]) => Promise<string>) => Promise<void>,
) {
  const folder = mkdtempSync(join(tmpdir(), 'skerry-ca-'))
  try {
    for (const [name, text] of Object.entries(texts)) writeFileSync(join(folder, name), text)
    const time = String(NOW / 1000)
    await use(async (...args) => {
      const run = promisify(execFile)('openssl', ['verify', '-x509_strict', '-attime', time, ...args], { cwd: folder })
      const { stdout, stderr } = await run.catch(
        (error: NodeJS.ErrnoException & { stdout: string; stderr: string }) => {
          if (error.code === 'ENOENT') skip('openssl is not installed')
          return error
        },
      )
      return stdout + stderr
    })
  } finally {
    rmSync(folder, { recursive: true })
  }
}

describe('the certificate authority', () => {
  let files: PrivateFiles
  beforeEach(() => {
    files = memoryFiles()
  })

  it('says in its names that it is an emulator, and whose', async () => {
    const root = new X509Certificate((await openAuthority(options(files))).rootPem)
    expect(root.subject).toContain('Skerry emulator root (/home/me/.local/state/skerry)')
    expect(root.subject).toContain('not Microsoft Azure')
  })

  it('signs leaves that openssl verifies strictly for their host name, as a TLS server', async ({ skip }) => {
    const authority = await openAuthority(options(files))
    const { cert } = await authority.tlsFor(HOST)
    const ip = await authority.tlsFor('169.254.169.254')
    await withOpenssl({ root: authority.rootPem, leaf: cert, ip: ip.cert }, skip, async (verify) => {
      const chain = ['-CAfile', 'root', '-purpose', 'sslserver']
      expect(await verify(...chain, '-untrusted', 'leaf', '-verify_hostname', HOST, 'leaf')).toContain('leaf: OK')
      expect(await verify(...chain, '-untrusted', 'leaf', '-verify_hostname', 'w.vault.azure.net', 'leaf')).toContain(
        'hostname mismatch',
      )
      expect(await verify(...chain, '-untrusted', 'ip', '-verify_ip', '169.254.169.254', 'ip')).toContain('ip: OK')
    })
  })

  it('cannot vouch for a name that is not emulated, even with its key in the wrong hands', async ({ skip }) => {
    const authority = await openAuthority(options(files))
    const [intermediatePem, keyPem] = (await files.read('intermediate.pem'))!.split(/(?=-----BEGIN PRIVATE KEY)/)
    const name = {
      commonName: 'Skerry emulator CA (/home/me/.local/state/skerry)',
      organization: 'Skerry emulator, not Microsoft Azure',
    }
    const der = mintLeaf(
      {
        serial: randomBytes(16),
        notBefore: NOW - DAY_MS / 24,
        notAfter: NOW + DAY_MS,
        subject: { organization: 'x' },
        publicKey: generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey,
        hostnames: ['www.example.com'],
      },
      { name, privateKey: createPrivateKey(keyPem!) },
    )
    const texts = { root: authority.rootPem, mid: intermediatePem!, leaf: new X509Certificate(der).toString() }
    await withOpenssl(texts, skip, async (verify) => {
      expect(await verify('-CAfile', 'root', '-untrusted', 'mid', 'leaf')).toContain('permitted subtree violation')
    })
  })

  it('refuses to sign for such a name in the first place', async () => {
    const authority = await openAuthority(options(files))
    for (const name of ['www.example.com', 'vault.azure.net.evil.example', 'evilvault.azure.net', '8.8.8.8']) {
      await expect(authority.tlsFor(name)).rejects.toThrow(NameNotPermittedError)
    }
  })

  it('ends a real handshake', async () => {
    const authority = await openAuthority(options(files, systemClock().now()))
    const server = createServer(await authority.tlsFor(HOST)).listen(0, '127.0.0.1')
    try {
      await new Promise((resolve) => server.once('listening', resolve))
      const { port } = server.address() as AddressInfo
      const authorized = await new Promise((resolve, reject) => {
        const socket = connect({ port, host: '127.0.0.1', servername: HOST, ca: authority.rootPem }, () => {
          resolve(socket.authorized)
          socket.destroy()
        })
        socket.on('error', reject)
      })
      expect(authorized).toBe(true)
    } finally {
      server.close()
    }
  })

  it('signs released keys with an RSA leaf that names the vault, under a chain that ends with the root', async () => {
    const authority = await openAuthority(options(files))
    const { privateKey, chain } = await authority.rsaSigner([HOST])
    const [leaf, intermediate, root] = chain.map((der) => new X509Certificate(der))
    expect(privateKey.asymmetricKeyDetails?.modulusLength).toBe(2048)
    expect(leaf!.checkPrivateKey(privateKey)).toBe(true)
    expect(leaf!.subjectAltName).toBe(`DNS:${HOST}`)
    expect(leaf!.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
    expect([
      leaf!.verify(intermediate!.publicKey),
      intermediate!.verify(root!.publicKey),
      root!.verify(root!.publicKey),
    ]).toEqual([true, true, true])
    expect(root!.toString().trim()).toBe(authority.rootPem.trim())
  })

  it('stays the same between runs', async () => {
    const first = await openAuthority(options(files))
    const again = await openAuthority(options(files, NOW + DAY_MS))
    expect(again.rootPem).toBe(first.rootPem)
    expect(await again.tlsFor(HOST)).toEqual(await first.tlsFor(HOST))
  })

  it.each([
    ['ends soon', 26 * DAY_MS],
    ['is from the future, since the clock went back', -2 * DAY_MS],
  ])('is made anew when it %s, and its leaves with it', async (_, later) => {
    const first = await openAuthority(options(files))
    const leaf = await first.tlsFor(HOST)
    const renewed = await openAuthority(options(files, NOW + later))
    expect(renewed.rootPem).not.toBe(first.rootPem)
    expect((await renewed.tlsFor(HOST)).cert).not.toBe(leaf.cert)
  })

  it('is made anew when its files do not fit together', async () => {
    const first = await openAuthority(options(files))
    const other = memoryFiles()
    await openAuthority(options(other))
    await files.write('intermediate.pem', (await other.read('intermediate.pem'))!)
    expect((await openAuthority(options(files))).rootPem).not.toBe(first.rootPem)
  })

  it('keeps its files from others', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'skerry-ca-'))
    try {
      await openAuthority(options(directoryFiles(folder)))
      for (const name of [ROOT_FILE, 'intermediate.pem']) expect(statSync(join(folder, name)).mode & 0o777).toBe(0o600)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
