import { createHash } from 'node:crypto'
import { setGlobalProxyFromEnv } from 'node:http'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { ClientSecretCredential } from '@azure/identity'
import { createEmulator, type Emulator, seedResources, type WireEndpoint } from '@skerry/emulator'
import {
  createAttestationContext,
  createWrappingKeys,
  releaseKey,
  type SnpDevice,
  type WrappingKey,
} from '@skerry/guest'
import {
  aciReleasePolicy,
  decodeReportResponse,
  encodeBase64,
  encodeBase64Url,
  encodeReportRequest,
  encodeUtf8,
} from '@skerry/guest/wire'

export const MAA = 'sharedweu.weu.attest.azure.net'
const VAULT = 'bench.vault.azure.net'
const KEY = 'bench-key'
export const POLICY = encodeUtf8('package policy\n')

/** Wrapping keys made before the clock runs; used in turn. */
const STOCK = 8

export interface ReleaseBench extends AsyncDisposable {
  /** One whole release with a wrapping key from stock. */
  release(): Promise<void>
  /** The same with the guest's own stock, which is soon empty: every key is made for its release. */
  releaseSustained(): Promise<void>
}

/**
 * An emulator that listens, and a guest in this process whose device is that emulator's processor. What they say to each
 * other goes over HTTPS, through the emulator's proxy.
 */
export async function openReleaseBench(): Promise<ReleaseBench> {
  await using cleanup = new AsyncDisposableStack()
  const emulator = cleanup.use(await createEmulator())
  const wire = cleanup.use(await emulator.listen())
  setDefaultCACertificates([...getCACertificates('default'), wire.caPem])
  // fetch and the Azure SDK find the proxy each in its own way.
  Object.assign(process.env, wire.environment)
  setGlobalProxyFromEnv({ ...wire.environment })

  const credential = credentialOf(wire)
  await makeKey(emulator, await credential.getToken('https://vault.azure.net/.default'))
  const context = await createAttestationContext({
    device: deviceOf(emulator),
    securityContext: {
      source: 'bench',
      certification: await emulator.psp.thim(),
      referenceInfoBase64: encodeBase64(await emulator.psp.uvm.endorsement()),
    },
  })
  const oneByOne = createWrappingKeys({ size: 0 })
  const stock = await Promise.all(Array.from({ length: STOCK }, () => oneByOne.take()))
  let turn = 0
  const fromStock = { take: async (): Promise<WrappingKey> => stock[turn++ % STOCK]! }
  const options = { maaEndpoint: MAA, akvEndpoint: VAULT, kid: KEY, credential }
  const releaseWith = async (wrappingKeys: { take(): Promise<WrappingKey> }) => {
    const { jwk } = await releaseKey(context, { ...options, wrappingKeys })
    if (jwk.kty !== 'RSA') throw new Error(`released was a key of type ${jwk.kty}`)
  }

  const open = cleanup.move()
  return {
    release: () => releaseWith(fromStock),
    releaseSustained: () => releaseWith(oneByOne),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  }
}

/** The guest's device, answered by the processor as its driver would. */
export function deviceOf({ psp }: Emulator): SnpDevice {
  const guest = psp.launch({ hostData: createHash('sha256').update(POLICY).digest() })
  return {
    async getReport(reportData, { vmpl = 0 } = {}) {
      const response = await guest.reportRequest(encodeReportRequest({ reportData, vmpl }))
      return decodeReportResponse(response).report
    },
    close: () => undefined,
  }
}

/** A sidecar's identity keeps its token until it ends; so does this one. */
function credentialOf({ environment: env }: WireEndpoint): ClientSecretCredential {
  const { AZURE_TENANT_ID = '', AZURE_CLIENT_ID = '', AZURE_CLIENT_SECRET = '' } = env
  return new ClientSecretCredential(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET)
}

/** A key that is released to the guest. */
export function releasableKey() {
  const hostData = createHash('sha256').update(POLICY).digest('hex')
  const policy = aciReleasePolicy({ authority: `https://${MAA}`, hostData })
  return {
    kty: 'RSA-HSM',
    key_size: 2048,
    attributes: { exportable: true },
    release_policy: { data: encodeBase64Url(encodeUtf8(JSON.stringify(policy))) },
  }
}

async function makeKey({ context }: Emulator, { token }: { readonly token: string }): Promise<void> {
  seedResources(context, {
    resourceGroups: [{ name: 'bench' }],
    vaults: [{ name: 'bench', resourceGroup: 'bench' }],
    attestationProviders: [{ host: MAA }],
  })
  const answer = await fetch(`https://${VAULT}/keys/${KEY}/create?api-version=7.4`, {
    method: 'POST',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    body: JSON.stringify(releasableKey()),
  })
  if (!answer.ok) throw new Error(`the key was not made: ${answer.status} ${await answer.text()}`)
}
