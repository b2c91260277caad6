// A whole secure key release from inside a guest, whose every request is one call of curl as a person would type it. Run
// by run-isolate.test.ts below `skerry run --isolate`. Arguments: the program that asks the device, the device, the key's URL.
import { execFileSync } from 'node:child_process'
import { createDecipheriv, createHash, generateKeyPairSync, privateDecrypt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

const [client, device, keyUrl] = process.argv.slice(2)
const curl = (...words) =>
  JSON.parse(execFileSync('curl', ['-sS', '--fail-with-body', '-m', '20', ...words]).toString())
const json = ['-H', 'Content-Type: application/json']
const base64url = (bytes) => Buffer.from(bytes).toString('base64url')

const wrapping = generateKeyPairSync('rsa', { modulusLength: 2048 })
const { n, e } = wrapping.publicKey.export({ format: 'jwk' })
const runtimeData = JSON.stringify({ keys: [{ kty: 'RSA', kid: 'wrapping', key_ops: ['encrypt'], n, e }] })
const reportData = createHash('sha256').update(runtimeData).digest('hex').padEnd(128, '0')
const report = Buffer.from(execFileSync(client, ['report-on', device, reportData]).toString().trim(), 'hex')

const metadata = 'http://169.254.169.254/metadata'
const thim = curl('-H', 'Metadata: true', `${metadata}/THIM/amd/certification`)
const context = (name) => Buffer.from(readFileSync(join(process.env.UVM_SECURITY_CONTEXT_DIR, name), 'utf8'), 'base64')
const evidence = {
  SnpReport: base64url(report),
  VcekCertChain: base64url(thim.vcekCert + thim.certificateChain),
  Endorsements: base64url(JSON.stringify({ Uvm: [base64url(context('reference-info-base64'))] })),
}
const { token } = curl(
  ...json,
  'https://sharedweu.weu.attest.azure.net/attest/SevSnpVM?api-version=2020-10-01',
  '--data',
  JSON.stringify({
    report: base64url(JSON.stringify(evidence)),
    runtimeData: { data: base64url(runtimeData), dataType: 'JSON' },
  }),
)
const { access_token } = curl(
  '-H',
  'Metadata: true',
  `${metadata}/identity/oauth2/token?api-version=2018-02-01&resource=https%3A%2F%2Fvault.azure.net`,
)
const { value } = curl(
  ...json,
  '-H',
  `Authorization: Bearer ${access_token}`,
  `${keyUrl}/release?api-version=7.4`,
  '--data',
  JSON.stringify({ target: token, enc: 'RSA_AES_KEY_WRAP_256' }),
)

const { response } = JSON.parse(Buffer.from(value.split('.')[1], 'base64url'))
const { ciphertext } = JSON.parse(Buffer.from(response.key.key.key_hsm, 'base64url'))
const wrapped = Buffer.from(ciphertext, 'base64url')
const aes = privateDecrypt({ key: wrapping.privateKey, oaepHash: 'sha256' }, wrapped.subarray(0, 256))
const unwrap = createDecipheriv('id-aes256-wrap-pad', aes, Buffer.from('a65959a6', 'hex'))
const pkcs8 = Buffer.concat([unwrap.update(wrapped.subarray(256)), unwrap.final()])
// The digest only: a test's output is no place for a key.
process.stdout.write(`${createHash('sha256').update(pkcs8).digest('hex')}\n`)
