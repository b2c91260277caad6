import { ArmError } from '../error.ts'

/** Refusals of the Key Vault resource provider. */

export const badRequest = (message: string): ArmError => new ArmError(400, { code: 'BadRequest', message })

export const vaultErrors = {
  nameNotValid: (name: string) =>
    new ArmError(400, {
      code: 'VaultNameNotValid',
      message: `The vault name '${name}' is invalid. ${NAME_RULE} Follow this link for more information: https://go.microsoft.com/fwlink/?linkid=2147742`,
    }),
  alreadyExists: (name: string) =>
    new ArmError(409, {
      code: 'VaultAlreadyExists',
      message: `The vault name '${name}' is already in use. Vault names are globally unique so it is possible that the name is already taken. If you are sure that the vault name was not taken then it is possible that a vault with the same name was recently deleted but not purged after being placed in a recoverable state. Follow this link for more information https://go.microsoft.com/fwlink/?linkid=2147740`,
    }),
  deletedHasName: () =>
    new ArmError(409, {
      code: 'ConflictError',
      message:
        'A vault with the same name already exists in deleted state. You need to either recover or purge existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete.',
    }),
  deletedNotFound: (name: string) =>
    new ArmError(404, {
      code: 'DeletedVaultNotFound',
      message: `The specified deleted vault '${name}' does not exist.`,
    }),
  purgeProtected: (operation: string) =>
    new ArmError(405, { code: 'MethodNotAllowed', message: `Operation '${operation}' is not allowed.` }),
  otherLocation: (name: string, group: string, location: string, asked: string) =>
    new ArmError(409, {
      code: 'InvalidResourceLocation',
      message: `The resource '${name}' already exists in location '${location}' in resource group '${group}'. A resource with the same name cannot be created in location '${asked}'. Please select a new resource name.`,
    }),
  parentNotFound: (id: string) =>
    new ArmError(404, {
      code: 'ParentResourceNotFound',
      message: `Failed to perform 'write' on resource(s) of type '${typeOf(id)}', because the parent resource '${id}' could not be found.`,
    }),
  keyNotFound: (name: string) =>
    new ArmError(404, { code: 'KeyNotFound', message: `The key '${name}' was not found in this vault.` }),
}

/** The message of `checkNameAvailability` for a name that is in use, as the service has it (its spelling included). */
export const nameTakenMessage = (name: string): string =>
  `The vault name '${name}' is already in use. Vault names are globaly unique so it is possible that the name is already taken. If you are sure that the vault name was not taken then it is possible that a vault with the same name was recently deleted but not purged after being placed in a recoverable state. If the vault is in a recoverable state then the vault will need to be purged before reusing the name. For more information on soft delete and purging a vault follow this link https://go.microsoft.com/fwlink/?linkid=2147740.`

export const NAME_RULE =
  "A vault's name must be between 3-24 alphanumeric characters. The name must begin with a letter, end with a letter or digit, and not contain consecutive hyphens."

export const isVaultName = (name: string): boolean => /^(?!.*--)[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]$/.test(name)

const typeOf = (id: string): string => {
  const [, after = ''] = id.split(/\/providers\//i)
  const [namespace = '', ...rest] = after.split('/')
  return `${namespace}/${rest.filter((_, at) => at % 2 === 0).join('/')}/keys`
}
