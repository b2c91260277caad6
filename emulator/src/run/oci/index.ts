export { type RunRuntimeOptions, runRuntime } from './run-runtime.ts'
export { type ServeContainersOptions, serveContainers } from './serve-containers.ts'
