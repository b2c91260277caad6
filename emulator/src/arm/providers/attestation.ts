import { type AttestationProviderRecord, COLLECTIONS, type EmulatorContext } from '../../core/index.ts'
import { forgetProvider, PolicySignerError, registerSigners } from '../../maa/index.ts'
import { ArmError } from '../error.ts'
import { type ArmResource, normalLocation, propertiesOf, type ResourceType, tagsOf } from './types.ts'

/** The short name of a region in a provider's host name. */
export const REGIONS: Readonly<Record<string, string>> = {
  australiaeast: 'eau',
  canadacentral: 'cac',
  centralindia: 'cin',
  centralus: 'cus',
  eastasia: 'easia',
  eastus: 'eus',
  eastus2: 'eus2',
  francecentral: 'frc',
  germanywestcentral: 'dewc',
  italynorth: 'itn',
  japaneast: 'jpe',
  northeurope: 'neu',
  southcentralus: 'scus',
  southeastasia: 'sasia',
  swedencentral: 'sec',
  switzerlandnorth: 'swn',
  uaenorth: 'uaen',
  uksouth: 'uks',
  westeurope: 'weu',
  westus: 'wus',
  westus2: 'wus2',
}

/** Microsoft.Attestation/attestationProviders: a provider of one's own, with its endpoint. */
export function attestationProviders(ctx: EmulatorContext): ResourceType {
  const records = ctx.store.collection<AttestationProviderRecord>(COLLECTIONS.attestationProviders)
  const byId = (id: string) => records.values().find((record) => record.id?.toLowerCase() === id.toLowerCase())
  const change = (record: AttestationProviderRecord, body: Readonly<Record<string, unknown>>) => {
    const tags = tagsOf(body)
    const changed = tags === undefined ? record : { ...record, tags }
    records.put(record.host, changed)
    return changed
  }
  return {
    type: 'Microsoft.Attestation/attestationProviders',
    get(id) {
      const record = byId(id)
      return record && view(record)
    },
    list(scope) {
      const prefix = `${scope.toLowerCase()}/`
      return records
        .values()
        .filter((record) => record.id?.toLowerCase().startsWith(prefix))
        .map(view)
    },
    async put({ id, name, body }) {
      const before = byId(id)
      if (before !== undefined) return { status: 200, body: view(change(before, body)) }
      const location = normalLocation(body.location, 'westeurope')
      const region = Object.hasOwn(REGIONS, location) ? REGIONS[location] : undefined
      if (region === undefined || !/^[a-zA-Z][a-zA-Z0-9]{2,23}$/.test(name)) {
        throw new ArmError(400, {
          code: region === undefined ? 'LocationNotAvailableForResourceType' : 'InvalidResourceName',
          message:
            region === undefined
              ? `The provided location '${location}' is not available for resource type 'Microsoft.Attestation/attestationProviders'.`
              : `The attestation provider name '${name}' is not valid: 3 to 24 letters and digits, beginning with a letter.`,
        })
      }
      const signers = policySigners(body)
      const host = `${name.toLowerCase()}.${region}.attest.azure.net`
      const tags = tagsOf(body)
      const trustModel = signers.length > 0 ? 'Isolated' : 'AAD'
      const record: AttestationProviderRecord = { name, host, trustModel, id, location, ...(tags && { tags }) }
      ctx.store.transaction(() => {
        // Nothing is left of a provider of this name that was there before.
        forgetProvider(ctx, host)
        if (signers.length > 0) register(ctx, host, signers)
        records.put(host, record)
      })
      return { status: 201, body: view(record), headers: { location: `https://${host}/` } }
    },
    async delete(id) {
      const record = byId(id)
      if (record === undefined) return undefined
      ctx.store.transaction(() => {
        forgetProvider(ctx, record.host)
        records.delete(record.host)
      })
      return { status: 202 }
    },
    setTags: (id, tags) => view(change(byId(id) as AttestationProviderRecord, { tags })),
  }
}

/** `properties.policySigningCertificates.keys`: JSON Web Keys with `x5c`. Without any, policies need no signature. */
function policySigners(body: Readonly<Record<string, unknown>>): readonly unknown[] {
  const given = propertiesOf(body).policySigningCertificates ?? {}
  const keys = typeof given === 'object' ? ((given as { keys?: unknown }).keys ?? []) : undefined
  if (!Array.isArray(keys)) throw badSigners('policySigningCertificates must be an object with a list of keys.')
  return keys
}

function register(ctx: EmulatorContext, host: string, signers: readonly unknown[]): void {
  try {
    registerSigners(ctx, host, signers)
  } catch (error) {
    throw error instanceof PolicySignerError ? badSigners(error.message) : error
  }
}

function badSigners(message: string): ArmError {
  return new ArmError(400, { code: 'BadRequest', message, target: 'properties.policySigningCertificates' })
}

function view(record: AttestationProviderRecord): ArmResource {
  return {
    id: record.id ?? '',
    name: record.name,
    type: 'Microsoft.Attestation/attestationProviders',
    ...(record.location !== undefined && { location: record.location }),
    tags: record.tags ?? null,
    properties: { trustModel: record.trustModel, status: 'Ready', attestUri: `https://${record.host}` },
  }
}
