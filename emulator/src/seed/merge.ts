import {
  type AttestationSettings,
  DEFAULT_SETTINGS,
  type ReleasePolicySettings,
  type Seed,
  type Settings,
} from '../core/index.ts'
import type { SeedDocument } from './schema.ts'

/** Tenant, subscription and administrator: what a seed says goes before what was given in code, and that before chance. */
export function seedOf(made: Seed, given: Partial<Seed> = {}, document: SeedDocument = {}): Seed {
  const { tenantId, subscriptionId, admin } = { ...made, ...given }
  return {
    tenantId: document.tenantId?.toLowerCase() ?? tenantId,
    subscriptionId: document.subscriptionId?.toLowerCase() ?? subscriptionId,
    admin: {
      clientId: document.admin?.clientId?.toLowerCase() ?? admin.clientId,
      objectId: document.admin?.objectId?.toLowerCase() ?? admin.objectId,
      clientSecret: document.admin?.clientSecret ?? admin.clientSecret,
    },
  }
}

/** Settings as they are given: what is absent is as in `DEFAULT_SETTINGS`, each point of the release policy and of attestation for itself. */
export type GivenSettings = Partial<Omit<Settings, 'releasePolicy' | 'attestation'>> & {
  readonly releasePolicy?: Partial<ReleasePolicySettings>
  readonly attestation?: Partial<AttestationSettings>
}

/** Settings: what was given in code or by flags goes before what a seed says; authorities are those of both. */
export function settingsOf(given: GivenSettings = {}, seeded: SeedDocument['settings'] = {}): Settings {
  const eventWebhook = given.eventWebhook ?? seeded.eventWebhook
  const authorityCheck = given.authorityCheck ?? seeded.authorityCheck ?? DEFAULT_SETTINGS.authorityCheck
  const releasePolicy = {
    ...DEFAULT_SETTINGS.releasePolicy,
    ...said(seeded.releasePolicy),
    ...said(given.releasePolicy),
  }
  const attestation = { ...DEFAULT_SETTINGS.attestation, ...said(seeded.attestation), ...said(given.attestation) }
  return {
    ...DEFAULT_SETTINGS,
    ...given,
    releasePolicy,
    attestation,
    authorityCheck,
    authorities: [...new Set([...(given.authorities ?? []), ...(seeded.authorities ?? [])])],
    ...(eventWebhook !== undefined && { eventWebhook }),
  }
}

/** The members that are there: one that is undefined takes nobody's place. */
function said<T extends object>(given: T | undefined): { [Name in keyof T]?: Exclude<T[Name], undefined> } {
  return Object.fromEntries(Object.entries(given ?? {}).filter(([, value]) => value !== undefined)) as never
}
