import * as v from 'valibot'
import { badParameter } from '../errors.ts'
import type { WantedLocalRole } from './definitions.ts'

/** Request bodies of the local RBAC and of the settings (Azure REST API, Key Vault 7.4). Null means absent. */

const texts = v.nullish(v.array(v.string()))

const roleAssignmentBody = v.looseObject({
  properties: v.looseObject({ roleDefinitionId: v.string(), principalId: v.string() }),
})

const roleDefinitionBody = v.looseObject({
  properties: v.looseObject({
    roleName: v.nullish(v.string()),
    description: v.nullish(v.string()),
    type: v.nullish(v.string()),
    assignableScopes: texts,
    permissions: v.nullish(
      v.array(v.looseObject({ actions: texts, notActions: texts, dataActions: texts, notDataActions: texts })),
    ),
  }),
})

const settingBody = v.looseObject({ value: v.string() })

export function readRoleAssignment(body: unknown): { roleDefinitionId: string; principalId: string } {
  return read(roleAssignmentBody, body).properties
}

export function readRoleDefinition(body: unknown): WantedLocalRole {
  const { roleName, description, type, assignableScopes, permissions } = read(roleDefinitionBody, body).properties
  return {
    ...(roleName != null && { roleName }),
    ...(description != null && { description }),
    ...(type != null && { type }),
    ...(assignableScopes != null && { assignableScopes }),
    permissions: (permissions ?? []).map(({ actions, notActions, dataActions, notDataActions }) => ({
      actions: actions ?? [],
      notActions: notActions ?? [],
      dataActions: dataActions ?? [],
      notDataActions: notDataActions ?? [],
    })),
  }
}

/** The new value of a setting, as text. */
export function readSetting(body: unknown): string {
  return read(settingBody, body).value
}

function read<T extends v.GenericSchema>(schema: T, body: unknown): v.InferOutput<T> {
  const result = v.safeParse(schema, body)
  if (result.success) return result.output
  const path = v.getDotPath(result.issues[0])
  throw badParameter(path === null ? 'The request body must be a JSON object.' : `Property ${path} has invalid value`)
}
