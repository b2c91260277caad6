import * as v from 'valibot'
import { isDuration } from '../keyvault/rules/duration.ts'

/*
 * What the services count on in the documents of their collections: enough that a state from elsewhere cannot make one
 * fail later. Further members are each service's own business.
 */

const text = v.pipe(v.string(), v.nonEmpty('a text that is not empty'))
const seconds = v.pipe(v.number('whole seconds'), v.integer('whole seconds'))
const guid = v.pipe(v.string('a GUID'), v.uuid('a GUID'))
const host = v.pipe(v.string('a host name'), v.regex(/^[a-z0-9-]+(\.[a-z0-9-]+)+$/, 'a host name in lower case'))
const armId = v.pipe(v.string('an ARM id'), v.startsWith('/', 'an ARM id'))
const base64 = v.pipe(v.string('base64'), v.base64('base64'))

const vault = v.looseObject({
  kind: v.picklist(['vault', 'managedHsm'] as const),
  name: text,
  host,
  id: armId,
  location: text,
  tenantId: guid,
  sku: text,
  enableRbacAuthorization: v.boolean(),
  softDeleteRetentionInDays: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(90, 'at most 90')),
  enablePurgeProtection: v.boolean(),
})

const keyVersion = v.looseObject({
  version: v.pipe(v.string(), v.regex(/^[0-9a-f]{32}$/, '32 hex digits in lower case')),
  kty: v.picklist(['RSA', 'RSA-HSM', 'EC', 'EC-HSM', 'oct', 'oct-HSM'] as const),
  keyOps: v.array(v.string()),
  publicJwk: v.record(v.string(), v.string()),
  enabled: v.boolean(),
  notBefore: v.optional(seconds),
  expires: v.optional(seconds),
  created: seconds,
  updated: seconds,
})

const duration = v.pipe(v.string(), v.check(isDuration, 'an ISO 8601 duration of days, weeks, months or years'))
const rotationPolicy = v.looseObject({
  lifetimeActions: v.array(
    v.looseObject({
      type: v.picklist(['Rotate', 'Notify'] as const),
      timeAfterCreate: v.optional(duration),
      timeBeforeExpiry: v.optional(duration),
    }),
  ),
  expiryTime: v.optional(duration),
  created: seconds,
  updated: seconds,
})

const key = v.looseObject({
  host,
  name: v.pipe(v.string(), v.regex(/^[0-9a-zA-Z-]{1,127}$/, 'the name of a key')),
  exportable: v.boolean(),
  releasePolicy: v.optional(v.looseObject({ contentType: v.string(), data: v.string(), immutable: v.boolean() })),
  rotationPolicy: v.optional(rotationPolicy),
  versions: v.pipe(v.array(keyVersion), v.minLength(1, 'at least one version')),
  deleted: v.optional(v.looseObject({ deletedDate: seconds, scheduledPurgeDate: seconds })),
})

const event = v.looseObject({ id: guid, topic: text, subject: v.string(), eventType: text, eventTime: text })
const milliseconds = v.pipe(v.number('milliseconds'), v.integer('milliseconds'))
const count = v.pipe(v.number('a count'), v.integer('a count'), v.minValue(0, 'a count'))

export const DOCUMENT_SHAPES: Readonly<Record<string, v.GenericSchema>> = {
  vaults: vault,
  attestationProviders: v.looseObject({ name: text, host, trustModel: v.picklist(['AAD', 'Isolated', 'Shared']) }),
  'attestation.policies': v.looseObject({ jws: text }),
  'attestation.signers': v.looseObject({ chains: v.array(v.pipe(v.array(base64), v.minLength(1, 'a certificate'))) }),
  'attestation.signingKeys': v.looseObject({
    generation: count,
    sinceMs: milliseconds,
    retired: v.array(v.looseObject({ generation: count, untilMs: milliseconds })),
  }),
  servicePrincipals: v.looseObject({ objectId: guid, clientId: guid, displayName: v.string(), kind: text }),
  managedIdentities: v.looseObject({ id: armId, name: text, location: text, principalId: guid, clientId: guid }),
  roleAssignments: v.looseObject({ id: armId, name: guid, scope: armId, roleDefinitionId: armId, principalId: guid }),
  containerGroups: v.looseObject({ id: armId, name: text, state: text }),
  containerGroupIdentities: v.looseObject({ groupId: armId, userAssigned: v.array(armId) }),
  'keyvault.keys': key,
  'keyvault.material': v.looseObject({ form: v.picklist(['pkcs8', 'raw'] as const), data: base64 }),
  'managedhsm.roleAssignments': v.looseObject({ host, name: guid, scope: armId, role: text, principalId: guid }),
  'events.log': v.looseObject({ seq: count, item: event }),
  'events.outbox': v.looseObject({
    seq: count,
    item: v.looseObject({ event, publishedMs: milliseconds, attempts: count, notBeforeMs: milliseconds }),
  }),
  'events.next': count,
  armSubscriptions: v.looseObject({ subscriptionId: guid, displayName: v.string() }),
  armResourceGroups: v.looseObject({ id: armId, name: text, location: text }),
}
