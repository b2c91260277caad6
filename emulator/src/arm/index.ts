export { groupId } from './address.ts'
export { type SeedResources, type SeedVault, seedResources, seedSubscription } from './seed.ts'
export { type ArmOptions, createArmService } from './service.ts'
export { templateGuid } from './template/index.ts'
