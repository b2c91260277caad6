export type { NativeAddon, NativeDevice, NativeExtResponse, NativeResponse } from './addon.ts'
export { DEVICE_PATHS, type OpenDeviceOptions, openDevice, type SnpDevice } from './device.ts'
export { SnpDeviceError, type SnpDeviceErrorCode } from './errors.ts'
