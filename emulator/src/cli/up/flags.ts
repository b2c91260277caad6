import { InvalidArgumentError } from 'commander'
import { DURATION_FORMS, parseDuration } from '../../core/duration.ts'
import type { Faults, KeyVaultFaults } from '../../core/faults.ts'
import { outsideFetch, SettingsError } from '../../core/outside.ts'
import type { AttestationSettings, ReleasePolicySettings } from '../../core/settings.ts'
import { webhookUrl } from '../../events/webhook-url.ts'
import { PROCESSOR_NAMES, type ProcessorName, REPORT_VERSIONS, type ReportVersion } from '../../psp/products.ts'

/*
 * The values of `skerry up` that are more than a text. Each throws InvalidArgumentError, whose message says what was wanted;
 * the parser names the flag. Flags that can be repeated are given what came before.
 */

/** `--authority`. */
export function addAuthority(text: string, before: readonly string[] = []): readonly string[] {
  try {
    outsideFetch([text])
  } catch (error) {
    if (error instanceof SettingsError) throw new InvalidArgumentError(`${error.message.replace(/^[^:]+: /, '')}.`)
    throw error
  }
  return [...before, text]
}

/** `--event-webhook`. */
export function parseWebhook(text: string): string {
  try {
    return webhookUrl(text).href
  } catch (error) {
    if (error instanceof SettingsError) throw new InvalidArgumentError(`${error.message.replace(/^[^:]+: /, '')}.`)
    throw error
  }
}

/** `--processor`. */
export function parseProcessor(text: string): ProcessorName {
  const name = PROCESSOR_NAMES.find((one) => one === text)
  if (name === undefined) throw new InvalidArgumentError(`a processor is ${PROCESSOR_NAMES.join(' or ')}.`)
  return name
}

/** `--report-version`. */
export function parseReportVersion(text: string): ReportVersion {
  const version = REPORT_VERSIONS.find((one) => String(one) === text)
  if (version === undefined) throw new InvalidArgumentError(`reports have version ${REPORT_VERSIONS.join(' or ')}.`)
  return version
}

export const TRUSTS: readonly AttestationSettings['trust'][] = ['emulator', 'amd', 'both']

/** `--attestation-trust`. */
export function parseTrust(text: string): AttestationSettings['trust'] {
  const trust = TRUSTS.find((one) => one === text)
  if (trust === undefined) throw new InvalidArgumentError(`the trust is in ${TRUSTS.join(' or ')}.`)
  return trust
}

/** The named points of the release policy and their values; each first value is the default. */
export const RELEASE_POLICY_CHOICES: {
  readonly [K in keyof ReleasePolicySettings]: readonly ReleasePolicySettings[K][]
} = {
  operators: ['all', 'equals-only'],
  nesting: ['allowed', 'refused'],
  trailingSlash: ['ignored', 'significant'],
  coercion: ['canonical', 'typed'],
}

/** `--release-policy NAME=VALUE`. */
export function addReleasePolicy(
  text: string,
  before: Partial<ReleasePolicySettings> = {},
): Partial<ReleasePolicySettings> {
  const [name, value] = pairOf(text)
  const choices: readonly string[] | undefined = Object.hasOwn(RELEASE_POLICY_CHOICES, name)
    ? RELEASE_POLICY_CHOICES[name as keyof ReleasePolicySettings]
    : undefined
  if (choices === undefined) {
    throw new InvalidArgumentError(`its points are ${Object.keys(RELEASE_POLICY_CHOICES).join(', ')}.`)
  }
  if (!choices.includes(value)) throw new InvalidArgumentError(`${name} is ${choices.join(' or ')}.`)
  return { ...before, [name]: value }
}

const TAMPERS: readonly string[] = ['policy', 'debug', 'tcb']

/** What each fault is called, with the form of its value. */
export const FAULT_FORMS = {
  'delete-delay': 'DURATION',
  'recover-delay': 'DURATION',
  'purge-delay': 'DURATION',
  throttle: 'EVERY[:RETRY-AFTER]',
  'revoke-tokens-before': 'TIME',
  tamper: TAMPERS.join('|'),
} as const

/** `--fault NAME=VALUE`. */
export function addFault(text: string, before: Faults = { tamper: 'none' }): Faults {
  const [name, value] = pairOf(text)
  const vault = (more: KeyVaultFaults): Faults => ({ ...before, keyVault: { ...before.keyVault, ...more } })
  switch (name) {
    case 'delete-delay':
      return vault({ deletionDelayMs: durationOf(name, value) })
    case 'recover-delay':
      return vault({ recoveryDelayMs: durationOf(name, value) })
    case 'purge-delay':
      return vault({ purgeDelayMs: durationOf(name, value) })
    case 'throttle':
      return vault({ throttle: throttleOf(value) })
    case 'revoke-tokens-before': {
      const time = Date.parse(value)
      if (Number.isNaN(time)) throw new InvalidArgumentError(`${name} is a time such as 2026-01-31T12:00:00Z.`)
      return vault({ tokensRevokedBefore: time })
    }
    case 'tamper':
      if (!TAMPERS.includes(value)) throw new InvalidArgumentError(`tamper is ${TAMPERS.join(' or ')}.`)
      return { ...before, tamper: value as Faults['tamper'] }
    default:
      throw new InvalidArgumentError(`its faults are ${Object.keys(FAULT_FORMS).join(', ')}.`)
  }
}

function throttleOf(value: string) {
  const [, every, seconds] = /^([1-9]\d{0,6})(?::(\d{1,6}))?$/.exec(value) ?? []
  if (every === undefined) {
    throw new InvalidArgumentError(
      'throttle is which request is refused and, if wanted, after how many seconds to retry: 3 or 3:10.',
    )
  }
  return { every: Number(every), ...(seconds !== undefined && { retryAfterSeconds: Number(seconds) }) }
}

function durationOf(name: string, value: string): number {
  const ms = parseDuration(value, 0)
  if (ms === undefined) throw new InvalidArgumentError(`${name} is ${DURATION_FORMS}.`)
  return ms
}

function pairOf(text: string): [name: string, value: string] {
  const at = text.indexOf('=')
  if (at < 1 || at === text.length - 1) throw new InvalidArgumentError('it must be NAME=VALUE.')
  return [text.slice(0, at), text.slice(at + 1)]
}
