import { type Feature, has } from '../api-version.ts'
import type { Operation } from '../target.ts'

const CAME_WITH: Partial<Readonly<Record<Operation, Feature>>> = {
  listDeleted: 'softDelete',
  getDeleted: 'softDelete',
  recover: 'softDelete',
  purge: 'softDelete',
  release: 'release',
  rotate: 'release',
  getRotationPolicy: 'release',
  putRotationPolicy: 'release',
  random: 'release',
  attestation: 'attestation',
  secureWrapKey: 'secureWrap',
  secureUnwrapKey: 'secureWrap',
}

/** Whether a version of the API has an operation. One that has it not answers as to any word it does not know. */
export function hasOperation(version: string, operation: Operation): boolean {
  const feature = CAME_WITH[operation]
  return feature === undefined || has(version, feature)
}
