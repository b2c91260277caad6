import { once } from 'node:events'
import { createEmulator, seedResources } from '@skerry/emulator'
import { attest, createAttestationContext, createWrappingKeys } from '@skerry/guest'
import { encodeBase64 } from '@skerry/guest/wire'
import { deviceOf, MAA } from './release.ts'

// Serves an emulator as `skerry up --json` does, with a guest inside that has attested: what its vault releases to, and
// under which policy, stands in the line beside the rest. Started by instance.ts.

const VAULT = 'bench.vault.azure.net'

await using emulator = await createEmulator()
await using wire = await emulator.listen()
const { context, dispatcher, psp } = emulator
seedResources(context, {
  resourceGroups: [{ name: 'bench' }],
  vaults: [{ name: 'bench', resourceGroup: 'bench' }],
  attestationProviders: [{ host: MAA }],
})
const guest = await createAttestationContext({
  device: deviceOf(emulator),
  securityContext: {
    source: 'bench',
    certification: await psp.thim(),
    referenceInfoBase64: encodeBase64(await psp.uvm.endorsement()),
  },
})
const { runtimeData } = await createWrappingKeys({ size: 0 }).take()
const fetch: typeof globalThis.fetch = (input, init) =>
  dispatcher.dispatch(new Request(input, init), { door: 'process' })
const target = await attest(guest, { maaEndpoint: MAA, runtimeData, fetch })
const { tenantId, admin } = context.seed
const line = {
  proxy: wire.proxyUrl,
  ca: wire.caFile,
  endpoints: { vault: `https://${VAULT}` },
  credentials: { tenantId, clientId: admin.clientId, clientSecret: admin.clientSecret },
  target,
}
process.stdout.write(`${JSON.stringify(line)}\n`)
await once(process, 'SIGTERM')
