export { createContainerGroups } from './container-groups.ts'
export { ContainerGroupError } from './errors.ts'
export {
  type CatalogueImage,
  catalogueOf,
  defaultImages,
  firstOf,
  type ImageCatalogue,
  type Program,
} from './images.ts'
export { allowAllPolicy } from './policy.ts'
export { securityContextFiles } from './security-context.ts'
export type * from './types.ts'
export { type IdentityLookup, viewGroup } from './view.ts'
