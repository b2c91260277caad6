export { type SeedResources, type SeedVault, seedResources, seedSubscription } from './seed.ts'
export { type ArmOptions, createArmService } from './service.ts'
