import type { NetworkRules, VaultRecord } from '../../core/index.ts'
import { isAddressRange } from '../../keyvault/index.ts'
import { badRequest } from './errors.ts'

/** Reads `networkAcls` (Azure REST API, Key Vault management, "NetworkRuleSet"). @throws ArmError 400 */
export function readNetworkRules(value: unknown): NetworkRules {
  if (!isObject(value)) throw badRequest('The property "networkAcls" must be an object.')
  const { bypass = 'AzureServices', defaultAction = 'Allow', ipRules, virtualNetworkRules } = value
  if (bypass !== 'AzureServices' && bypass !== 'None') {
    throw badRequest('The property "networkAcls.bypass" must be AzureServices or None.')
  }
  if (defaultAction !== 'Allow' && defaultAction !== 'Deny') {
    throw badRequest('The property "networkAcls.defaultAction" must be Allow or Deny.')
  }
  return {
    bypass,
    defaultAction,
    ipRules: entries(ipRules, 'ipRules').map((rule, at) => {
      if (typeof rule.value === 'string' && isAddressRange(rule.value)) return { value: rule.value }
      throw badRequest(
        `The property "networkAcls.ipRules[${at}].value" must be an IPv4 address or a range in CIDR notation.`,
      )
    }),
    virtualNetworkRules: entries(virtualNetworkRules, 'virtualNetworkRules').map((rule, at) => {
      const { id, ignoreMissingVnetServiceEndpoint: ignore } = rule
      if (typeof id !== 'string')
        throw badRequest(`The property "networkAcls.virtualNetworkRules[${at}].id" is missing.`)
      return { id, ...(typeof ignore === 'boolean' && { ignoreMissingVnetServiceEndpoint: ignore }) }
    }),
  }
}

export function readPublicNetworkAccess(value: unknown): NonNullable<VaultRecord['publicNetworkAccess']> {
  const text = typeof value === 'string' ? value.toLowerCase() : ''
  if (text === 'enabled') return 'Enabled'
  if (text === 'disabled') return 'Disabled'
  throw badRequest('The property "publicNetworkAccess" must be Enabled or Disabled.')
}

function entries(value: unknown, member: string): Readonly<Record<string, unknown>>[] {
  if (value == null) return []
  if (Array.isArray(value) && value.every(isObject)) return value
  throw badRequest(`The property "networkAcls.${member}" must be an array of objects.`)
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
