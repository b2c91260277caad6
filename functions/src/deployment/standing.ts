import type { Effects, Removable } from './record.ts'

/** What the deployment made and has not taken away, in the order in which it is taken away. */
export function standing(effects: Effects): Removable[] {
  const { group, key, role, identity, gone = [] } = effects
  const made: readonly [Removable, boolean | undefined][] = [
    ['group', group !== undefined],
    ['key', key?.created],
    ['role', role?.created],
    ['identity', identity?.created],
  ]
  return made.filter(([name, was]) => was && !gone.includes(name)).map(([name]) => name)
}
