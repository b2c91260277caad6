/** Of `@azure/identity`, what a container uses: as a module of its own, so that a bundler can leave the rest out. */
export { ManagedIdentityCredential, WorkloadIdentityCredential } from '@azure/identity'
