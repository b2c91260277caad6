// For authority.test.ts: the official client, led by environment variables alone. Reads cases as JSON from standard input,
// makes an exportable key for each and has it released; prints what came of them as one line of JSON.
import { EnvironmentCredential } from '@azure/identity'
import { KeyClient } from '@azure/keyvault-keys'

const chunks = []
for await (const chunk of process.stdin) chunks.push(chunk)
const credential = new EnvironmentCredential()
const outcomes = []
for (const { vault, name, authority, token } of JSON.parse(Buffer.concat(chunks))) {
  const client = new KeyClient(vault, credential)
  const policy = { version: '1.0.0', anyOf: [{ authority, anyOf: [{ claim: 'sdk-test', equals: 'true' }] }] }
  await client.createRsaKey(name, {
    hsm: true,
    exportable: true,
    keyOps: ['encrypt', 'decrypt'],
    releasePolicy: { encodedPolicy: Buffer.from(JSON.stringify(policy)) },
  })
  outcomes.push(
    await client.releaseKey(name, token).then(
      ({ value }) => ({ status: 200, value }),
      ({ statusCode, code, message }) => ({ status: statusCode, code, message }),
    ),
  )
}
process.stdout.write(`${JSON.stringify(outcomes)}\n`)
