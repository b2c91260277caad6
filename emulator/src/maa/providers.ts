import { type AttestationProviderRecord, COLLECTIONS, type EmulatorContext } from '../core/index.ts'

/** Region codes of the shared providers: Microsoft's documentation, then a list that credits a Microsoft sample. */
const SHARED_REGIONS: ReadonlySet<string> = new Set(
  (
    'eus eus2 wus cus uks ukw cae cac neu weu ' +
    'wus2 wus3 ncus scus wcus frc frs dewc den swn sww sec ses noe now plc itn esc easia sasia jpe jpw krc krs eau sau ' +
    'cau cin sin win uaen uaec ilc san saw sbr sebr'
  ).split(' '),
)

/**
 * The provider of that host name: one that ARM holds, or a shared one (`shared<code>.<code>.attest.azure.net`, and the
 * test domain that Microsoft's samples use). Undefined: nobody made it.
 */
export function findProvider(ctx: EmulatorContext, host: string): AttestationProviderRecord | undefined {
  const record = ctx.store.shared<AttestationProviderRecord>(COLLECTIONS.attestationProviders).get(host)
  if (record !== undefined) return record
  const region = host.match(/^shared([a-z0-9]+)\.\1\.(?:test\.)?attest\.azure\.net$/)?.[1]
  if (region === undefined || !SHARED_REGIONS.has(region)) return undefined
  return { name: `shared${region}`, host, trustModel: 'Shared' }
}

/** Host names of all shared providers. */
export function sharedProviderHosts(): string[] {
  return [...SHARED_REGIONS].map((region) => `shared${region}.${region}.attest.azure.net`)
}
