import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createEmulator, seedResources } from '@skerry/emulator'
import { certificateChainPem, encodeSnpAttestRequest, encodeUtf8 } from '@skerry/guest/wire'
import { deviceOf, MAA } from './release.ts'

// Serves an emulator as `skerry up --json` does; in the line stands, beside the rest, the whole request to attest of a guest
// inside, as a sidecar sends it. Started by instance.ts.

const JWK = {
  kty: 'RSA',
  kid: 'bench',
  key_ops: ['encrypt'],
  e: 'AQAB',
  n: Buffer.alloc(256, 0xb5).toString('base64url'),
}

await using emulator = await createEmulator()
await using wire = await emulator.listen()
const { context, psp } = emulator
seedResources(context, {
  resourceGroups: [{ name: 'bench' }],
  vaults: [{ name: 'bench', resourceGroup: 'bench' }],
  attestationProviders: [{ host: MAA }],
})
const data = encodeUtf8(JSON.stringify({ keys: [JWK] }, null, 2))
const reportData = new Uint8Array(64)
reportData.set(createHash('sha256').update(data).digest())
const request = encodeSnpAttestRequest({
  report: await deviceOf(emulator).getReport(reportData),
  certificateChainPem: certificateChainPem(await psp.thim()),
  uvmEndorsements: [await psp.uvm.endorsement()],
  runtimeData: { data, dataType: 'JSON' },
  nonce: 13_202_930_541_250_959_283n,
})
const { tenantId, admin } = context.seed
const line = {
  proxy: wire.proxyUrl,
  ca: wire.caFile,
  endpoints: { vault: 'https://bench.vault.azure.net' },
  credentials: { tenantId, clientId: admin.clientId, clientSecret: admin.clientSecret },
  request,
}
process.stdout.write(`${JSON.stringify(line)}\n`)
await once(process, 'SIGTERM')
