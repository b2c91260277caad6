/** The names under which the app's parts call each other. One list, so that a typo is a compile error. */
export const ORCHESTRATION = {
  provision: 'provision',
  upgrade: 'upgrade',
  rotate: 'rotate',
  teardown: 'teardown',
  importKey: 'importKey',
  rotationSweep: 'rotationSweep',
} as const

export const ENTITY = { deployment: 'deployment', registry: 'registry' } as const

/** The registry is one entity; it knows the names of all deployments. */
export const REGISTRY_KEY = 'all'

/** One sweep at a time. */
export const SWEEP_INSTANCE_ID = 'rotation-sweep'

/** One instance id a deployment: two operations on the same deployment can never run at once. */
export function instanceIdOf(deploymentName: string): string {
  return `deployment-${deploymentName}`
}

export function importInstanceIdOf(keyName: string, vaultHost: string): string {
  return `import-${vaultHost}-${keyName}`
}
