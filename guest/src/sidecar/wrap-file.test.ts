import { generateKeyPairSync, privateDecrypt } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { wrapFile } from './wrap-file.ts'

const folder = mkdtempSync(join(tmpdir(), 'skerry-wrap-'))
const at = (name: string) => join(folder, name)
const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })

beforeAll(() => {
  writeFileSync(at('secret'), 'a layer key')
  writeFileSync(at('pub.pem'), publicKey.export({ type: 'spki', format: 'pem' }))
  const { publicKey: ec } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  writeFileSync(at('ec.pem'), ec.export({ type: 'spki', format: 'pem' }))
  writeFileSync(
    at('k-info.json'),
    JSON.stringify({ public_key_path: at('pub.pem'), kms_endpoint: 'v.vault.azure.net' }),
  )
  writeFileSync(at('ec-info.json'), JSON.stringify({ public_key_path: at('ec.pem') }))
})
afterAll(() => rmSync(folder, { recursive: true }))

describe('a file that is wrapped', () => {
  it('becomes base64 of an annotation packet, which only the private key opens', async () => {
    const said = await wrapFile({ infile: at('secret'), keypath: at('k'), outfile: at('out') })
    expect(said).toBe(`Success! The wrapped data is saved to ${at('out')}`)
    const text = readFileSync(at('out'), 'utf8')
    expect(text).toMatch(/^[A-Za-z0-9+/]+=*$/)
    const { wrapped_data, ...rest } = JSON.parse(Buffer.from(text, 'base64').toString())
    expect(rest).toEqual({ kid: 'k', wrap_type: 'rsa_3072', kms_endpoint: 'v.vault.azure.net' })
    const opened = privateDecrypt({ key: privateKey, oaepHash: 'sha256' }, Buffer.from(wrapped_data, 'base64'))
    expect(opened.toString()).toBe('a layer key')
  })

  it.each([
    [{ infile: 'nowhere' }, "Can't read input file"],
    [{ infile: 'secret' }, 'The key path is not specified for wrapping'],
    [{ infile: 'secret', keypath: 'k' }, 'The output file is not specified'],
    [{ infile: 'secret', keypath: 'none', outfile: 'out' }, 'The wrapping key info is not found'],
    [{ infile: 'secret', keypath: 'ec', outfile: 'out' }, 'invalid public RSA key in'],
    [{ infile: 'secret', keypath: 'k', outfile: 'none/out' }, 'Failed to save the wrapped data to'],
  ])('is refused as %o', async (names, words) => {
    const files = Object.fromEntries(Object.entries(names).map(([flag, name]) => [flag, at(name)]))
    await expect(wrapFile(files as never)).rejects.toMatchObject({
      code: 'ERR_WRAP',
      message: expect.stringContaining(words),
    })
  })
})
