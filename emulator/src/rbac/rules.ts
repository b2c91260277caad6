import type { RolePermission } from './definitions.ts'

/** What somebody wants to do: on the management side (`action`) or inside a service (`dataAction`). */
export interface Permission {
  readonly action?: string
  readonly dataAction?: string
}

/** Whether an action pattern (`Microsoft.KeyVault/vaults/*`) covers an action; case does not count. */
export function actionMatches(pattern: string, action: string): boolean {
  const parts = pattern.toLowerCase().split('*')
  const text = action.toLowerCase()
  if (parts.length === 1) return parts[0] === text
  const head = parts[0]!
  const tail = parts.at(-1)!
  if (text.length < head.length + tail.length || !text.startsWith(head) || !text.endsWith(tail)) return false
  let from = head.length
  const end = text.length - tail.length
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, from)
    if (found < 0 || found + part.length > end) return false
    from = found + part.length
  }
  return true
}

export function permissionGrants(granted: RolePermission, wanted: Permission): boolean {
  const covered = (patterns: readonly string[], action: string) => patterns.some((p) => actionMatches(p, action))
  if (wanted.action !== undefined) {
    if (!covered(granted.actions, wanted.action) || covered(granted.notActions, wanted.action)) return false
  }
  if (wanted.dataAction !== undefined) {
    if (!covered(granted.dataActions, wanted.dataAction)) return false
    if (covered(granted.notDataActions, wanted.dataAction)) return false
  }
  return wanted.action !== undefined || wanted.dataAction !== undefined
}

/** Whether what is assigned at `scope` holds at `id`: the same resource, or one below it. `/` is above everything. */
export function scopeContains(scope: string, id: string): boolean {
  const upper = trimmed(scope)
  const lower = trimmed(id)
  return upper === '' || lower === upper || lower.startsWith(`${upper}/`)
}

function trimmed(id: string): string {
  return id.replace(/\/+$/, '').toLowerCase()
}
