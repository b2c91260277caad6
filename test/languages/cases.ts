/** What every client program does, in the words of its result lines. */
export const CASES = [
  'create and get',
  'list in two pages',
  'versions',
  'update',
  'delete, recover and purge',
  'encrypt and decrypt',
  'sign and verify',
  'wrap and unwrap',
  'import',
  'backup and restore',
  'rotate and rotation policy',
  'refusals',
  'certificate credential',
  'workload identity',
  'release',
  'release refused',
] as const

/** What only a managed HSM does. */
export const HSM_CASES = ['symmetric keys', 'random bytes'] as const

/** Those that need a token of an attested guest. */
export const RELEASE_CASES: ReadonlySet<string> = new Set(['release', 'release refused'])

export const SERVICES = ['vault', 'mhsm'] as const
export type ServiceName = (typeof SERVICES)[number]

export function casesOf(service: ServiceName): readonly string[] {
  return service === 'mhsm' ? [...CASES, ...HSM_CASES] : CASES
}
