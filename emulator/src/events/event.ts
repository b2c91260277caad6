import type { VaultRecord } from '../core/index.ts'

/** "Azure Key Vault as Event Grid source": the types of events that concern keys and vaults. */
export type KeyVaultEventType = 'KeyNewVersionCreated' | 'KeyNearExpiry' | 'KeyExpired' | 'VaultAccessPolicyChanged'

/** An event in Event Grid's own schema; members in the order in which Key Vault's events were seen to have them. */
export interface EventGridEvent<Data = KeyVaultEventData> {
  /** A GUID, the same in every delivery of the event. */
  readonly id: string
  /** The ARM id of the vault. */
  readonly topic: string
  /** The name of the key. */
  readonly subject: string
  readonly eventType: string
  readonly data: Data
  readonly dataVersion: string
  readonly metadataVersion: string
  /** ISO 8601 in UTC with seven digits of a second. */
  readonly eventTime: string
}

export interface KeyVaultEventData {
  /** With the version: `https://v.vault.azure.net/keys/k/<version>`. */
  readonly Id: string
  readonly VaultName: string
  readonly ObjectType: string
  readonly ObjectName: string
  readonly Version: string | null
  /** Seconds since the epoch. */
  readonly NBF: number | null
  readonly EXP: number | null
}

/** What an event is about, before it has an id and a time. */
export interface EventFacts {
  readonly type: KeyVaultEventType
  readonly topic: string
  readonly subject: string
  readonly data: KeyVaultEventData
}

export function keyEventFacts(
  type: Exclude<KeyVaultEventType, 'VaultAccessPolicyChanged'>,
  vault: VaultRecord,
  name: string,
  { version, notBefore, expires }: { readonly version: string; readonly notBefore?: number; readonly expires?: number },
): EventFacts {
  return {
    type,
    topic: vault.id,
    subject: name,
    data: {
      Id: `https://${vault.host}/keys/${name}/${version}`,
      VaultName: vault.name,
      ObjectType: 'Key',
      ObjectName: name,
      Version: version,
      NBF: notBefore ?? null,
      EXP: expires ?? null,
    },
  }
}

/** The documentation has no example of this one: the members are those of the others, about the vault. */
export function accessPolicyFacts(vault: VaultRecord): EventFacts {
  return {
    type: 'VaultAccessPolicyChanged',
    topic: vault.id,
    subject: vault.name,
    data: {
      Id: `https://${vault.host}/`,
      VaultName: vault.name,
      ObjectType: 'Vault',
      ObjectName: vault.name,
      Version: null,
      NBF: null,
      EXP: null,
    },
  }
}

export function eventOf(facts: EventFacts, id: string, nowMs: number): EventGridEvent {
  return {
    id,
    topic: facts.topic,
    subject: facts.subject,
    eventType: `Microsoft.KeyVault.${facts.type}`,
    data: facts.data,
    dataVersion: '1',
    metadataVersion: '1',
    eventTime: eventTime(nowMs),
  }
}

/** Event Grid writes ten-millionths of a second. */
export const eventTime = (nowMs: number): string => new Date(nowMs).toISOString().replace('Z', '0000Z')
