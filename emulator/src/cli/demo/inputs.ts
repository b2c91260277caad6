import { readFileSync } from 'node:fs'
import { UsageError, unreadable } from '../usage-error.ts'

/** What a run deploys, and the names that must exist in the emulator for it. */
export interface DemoInputs {
  readonly template: Record<string, unknown>
  readonly importKeyConfig: Record<string, unknown>
  /** Where the inputs came from, for the page. */
  readonly templateFile: string
  readonly configFile: string
  readonly world: NamedWorld
}

/** The names in a template and an import configuration that a run takes as given. */
export interface NamedWorld {
  readonly subscriptionId: string | undefined
  readonly resourceGroup: string
  readonly vaults: readonly string[]
  readonly managedHsms: readonly string[]
  /** Host names of attestation providers. */
  readonly attestationProviders: readonly string[]
  readonly keyName: string
}

export const DEFAULT_RESOURCE_GROUP = 'skerry-demo'

/** @throws UsageError naming the flag whose file is missing or not JSON */
export function readInputs(templateFile: string, configFile: string): DemoInputs {
  const template = readJsonObject('--template', templateFile)
  const importKeyConfig = readJsonObject('--config', configFile)
  return { template, importKeyConfig, templateFile, configFile, world: namedWorld(template, importKeyConfig) }
}

/**
 * Finds the names. What is wrong with the inputs otherwise is for the app to say: here a missing name only means that
 * there is nothing to make exist.
 */
export function namedWorld(template: unknown, config: unknown): NamedWorld {
  const key = member(config, 'key')
  const vaultHost = text(member(member(key, 'akv'), 'endpoint'))?.toLowerCase()
  const authority = text(member(member(key, 'authority'), 'endpoint'))?.toLowerCase()
  const identity = /^\/subscriptions\/([^/]+)\/resourceGroups\/([^/]+)\/providers\/Microsoft\.ManagedIdentity\//i.exec(
    identityIdOf(template) ?? '',
  )
  const name = vaultHost?.split('.', 1)[0]
  const isManagedHsm = vaultHost?.endsWith('.managedhsm.azure.net') === true
  const isVault = vaultHost?.endsWith('.vault.azure.net') === true
  return {
    subscriptionId: identity?.[1],
    resourceGroup: identity?.[2] ?? DEFAULT_RESOURCE_GROUP,
    vaults: name && isVault ? [name] : [],
    managedHsms: name && isManagedHsm ? [name] : [],
    attestationProviders: authority?.endsWith('.attest.azure.net') ? [authority] : [],
    keyName: text(member(key, 'kid')) ?? '',
  }
}

/** The first user-assigned identity that a container group of the template names literally. */
function identityIdOf(template: unknown): string | undefined {
  const resources = member(template, 'resources')
  for (const resource of Array.isArray(resources) ? resources : []) {
    const assigned = member(member(resource, 'identity'), 'userAssignedIdentities')
    const id = typeof assigned === 'object' && assigned !== null ? Object.keys(assigned)[0] : undefined
    if (id !== undefined) return id
  }
  return undefined
}

function readJsonObject(flag: string, file: string): Record<string, unknown> {
  let content: string
  try {
    content = readFileSync(file, 'utf8')
  } catch (error) {
    throw unreadable(flag, file, error)
  }
  try {
    const value: unknown = JSON.parse(content)
    if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  } catch (error) {
    // Not the parser's own words: they repeat what the file holds, and may go over several lines.
    const place = /line \d+ column \d+/.exec((error as Error).message)?.[0]
    throw new UsageError(`${flag} ${file}: is not JSON${place ? ` (${place})` : ''}`)
  }
  throw new UsageError(`${flag} ${file}: must hold a JSON object`)
}

function member(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>)[name] : undefined
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined
}
