import type { Call, Reply } from './call.ts'
import { notCovered } from './errors.ts'
import * as roles from './local-rbac/routes.ts'
import * as settings from './local-rbac/settings.ts'
import { release } from './release/release.ts'
import { attestation } from './routes/attestation.ts'
import { backup, restore } from './routes/backup.ts'
import * as crypto from './routes/crypto.ts'
import * as keys from './routes/keys.ts'
import { create, importKey } from './routes/new-version.ts'
import { rotate } from './routes/rotate.ts'
import * as rotation from './routes/rotation.ts'
import type { Operation } from './target.ts'

export type Handler = (call: Call) => Reply | Promise<Reply>

const missing = (what: string): Handler => {
  return () => {
    throw notCovered('SkerryOperationNotCovered', `Skerry does not cover ${what}.`)
  }
}

export const HANDLERS: Readonly<Record<Operation, Handler>> = {
  create,
  import: importKey,
  rotate,
  release,
  get: keys.get,
  list: keys.list,
  listVersions: keys.listVersions,
  update: keys.update,
  delete: keys.remove,
  listDeleted: keys.listDeleted,
  getDeleted: keys.getDeleted,
  recover: keys.recover,
  purge: keys.purge,
  encrypt: crypto.encrypt,
  decrypt: crypto.decrypt,
  wrapKey: crypto.wrapKey,
  unwrapKey: crypto.unwrapKey,
  sign: crypto.sign,
  verify: crypto.verify,
  random: crypto.random,
  getRotationPolicy: rotation.getRotationPolicy,
  putRotationPolicy: rotation.putRotationPolicy,
  putRoleAssignment: roles.putRoleAssignment,
  getRoleAssignment: roles.getRoleAssignment,
  deleteRoleAssignment: roles.deleteRoleAssignment,
  listRoleAssignments: roles.listRoleAssignments,
  getRoleDefinition: roles.getRoleDefinition,
  listRoleDefinitions: roles.listRoleDefinitions,
  putRoleDefinition: roles.putRoleDefinition,
  deleteRoleDefinition: roles.deleteRoleDefinition,
  listSettings: settings.listSettings,
  getSetting: settings.getSetting,
  updateSetting: settings.updateSetting,
  backup,
  restore,
  attestation,
  // The format of what they make was never published, nor opened.
  secureWrapKey: missing('secure wrap, whose format is not known'),
  secureUnwrapKey: missing('secure unwrap, whose format is not known'),
  managedHsmAdministration: missing('security domain and full backup of a managed HSM'),
}
