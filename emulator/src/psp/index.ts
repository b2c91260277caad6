export { createProcessor } from './processor.ts'
export type * from './types.ts'
