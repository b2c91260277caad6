import type { InstanceInfo } from '../../control/instance.ts'

/** What a person reads when an instance is up. The administrator's secret is not in it: `skerry env` has it. */
export function welcome(info: InstanceInfo, kept: boolean): string {
  const { url, data, endpoints, journal, credentials, managedIdentity } = info
  const rows = Object.entries({
    vault: endpoints.vault,
    'managed HSM': endpoints.mhsm,
    attestation: endpoints.maa,
    'resource manager': endpoints.arm,
    tenant: credentials.tenantId,
    subscription: credentials.subscriptionId,
    administrator: `${credentials.clientId} (its secret: skerry env)`,
    'managed identity': managedIdentity && `${managedIdentity.clientId} (${nameOf(managedIdentity.resourceId)})`,
    state: kept ? data : 'in memory, gone when this ends (--data DIR keeps it)',
    journal,
  }).flatMap(([name, value]) => (value === undefined ? [] : [`  ${name.padEnd(17)} ${value}`]))
  return `Skerry is up on loopback, ${url}

${rows.join('\n')}

In another shell:
  eval "$(skerry env${kept ? ` --data ${quoteIfNeeded(data)}` : ''})"
  skerry run -- COMMAND
  skerry explain

Ctrl-C ends it.
`
}

function nameOf(resourceId: string): string {
  return resourceId.slice(resourceId.lastIndexOf('/') + 1)
}

function quoteIfNeeded(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", `'\\''`)}'`
}
