/**
 * An emulator in this process: `createEmulator()`, then `listen()` for clients of any language. Tests that need no
 * sockets use `@skerry/emulator/msw`.
 */
export {
  type ContainerGroups,
  catalogueOf,
  defaultImages,
  firstOf,
  type ImageCatalogue,
  type Program,
} from './aci/index.ts'
export { type SeedResources, seedResources } from './arm/index.ts'
export {
  type Clock,
  DataDirectoryInUseError,
  DEFAULT_SETTINGS,
  type EmulatorContext,
  type Faults,
  type Journal,
  type JournalCondition,
  type JournalRecord,
  type MovableClock,
  manualClock,
  NO_FAULTS,
  type ProcessorFaults,
  type Seed,
  type Settings,
  SettingsError,
  systemClock,
} from './core/index.ts'
export { PortInUseError } from './doors/wire.ts'
export { createEmulator, type Emulator, type EmulatorOptions, type WireEndpoint } from './emulator.ts'
export {
  type ApplicationRequest,
  approveDeviceCode,
  DirectoryError,
  declineDeviceCode,
  ensureApplication,
  ensureIssuer,
  ensureUser,
  type UserRequest,
} from './entra/index.ts'
export type { EventFeed, EventGridEvent, KeyVaultEventData } from './events/index.ts'
export { type FunctionsHost, type FunctionsHostOptions, startFunctionsHost } from './host/index.ts'
export { MICROSOFT_UVM_ENDORSER } from './maa/evidence/trust.ts'
export {
  collateralDocument,
  createSgxPlatform,
  type EnclaveOptions,
  INTEL_SGX_ROOT_SPKI_SHA256,
  type PlatformTcb,
  platformTcb,
  type SgxCollateral,
  type SgxPlatform,
  type VirtualEnclave,
} from './maa/sgx/index.ts'
export {
  type CertificateSupply,
  type LaunchOptions,
  ProcessorOptionError,
  type ProcessorOptions,
  type ProcessorTcb,
  type VirtualGuest,
  type VirtualProcessor,
} from './psp/index.ts'
export { type ConfidentialRunner, createRunner } from './run/index.ts'
export { type SeedDocument, SeedError } from './seed/index.ts'
export type { GivenSettings } from './seed/merge.ts'
export { ClockInUseError, StateBusyError, type StateDocument, StateError, StateExistsError } from './state/index.ts'
