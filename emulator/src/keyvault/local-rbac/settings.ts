import type { Store } from '../../core/index.ts'
import { type Call, ok, type Reply } from '../call.ts'
import { badParameter, KeyVaultError } from '../errors.ts'
import { readSetting } from './bodies.ts'

/** The settings of a managed HSM (Azure REST API, Key Vault 7.4, "settings"): one is known. */

export const KEYS_THROUGH_ARM = 'AllowKeyManagementOperationsThroughARM'

const openSettings = (store: Store) => store.collection<Readonly<Record<string, boolean>>>('managedhsm.settings')

/** Whether Resource Manager may make and show keys of this managed HSM: not before somebody allowed it. */
export function allowsKeysThroughArm(store: Store, host: string): boolean {
  return openSettings(store).get(host)?.[KEYS_THROUGH_ARM] ?? false
}

export function listSettings(call: Call): Reply {
  return ok({ settings: [view(call)] })
}

export function getSetting(call: Call): Reply {
  requireKnown(call)
  return ok(view(call))
}

export async function updateSetting(call: Call): Promise<Reply> {
  requireKnown(call)
  const value = readSetting(await call.body()).toLowerCase()
  if (value !== 'true' && value !== 'false') throw badParameter('Property value must be true or false')
  const { ctx } = call.parts
  openSettings(ctx.store).put(call.vault.host, { [KEYS_THROUGH_ARM]: value === 'true' })
  ctx.journal.write({
    service: call.personality.service,
    operation: 'updateSetting',
    outcome: 'done',
    subject: `https://${call.vault.host}/settings/${KEYS_THROUGH_ARM}`,
    summary: `${KEYS_THROUGH_ARM} of ${call.vault.host} is ${value}.`,
    answer: { status: 200, requestId: call.requestId },
  })
  return ok(view(call))
}

function requireKnown({ target }: Call): void {
  const { setting = '' } = target
  if (setting.toLowerCase() === KEYS_THROUGH_ARM.toLowerCase()) return
  throw new KeyVaultError(404, 'SettingNotFound', `Setting ${setting} was not found`)
}

function view({ parts, vault }: Call) {
  const value = String(allowsKeysThroughArm(parts.ctx.store, vault.host))
  return { name: KEYS_THROUGH_ARM, value, type: 'boolean' }
}
