export type { NativeAddon, NativeDevice, NativeExtResponse, NativeResponse } from './addon.ts'
export { chooseDevice, DEVICE_PATHS, type DeviceProbe } from './choose.ts'
export { type OpenDeviceOptions, openDevice, type SnpDevice } from './device.ts'
export { type RetryVerdict, SnpDeviceError, type SnpDeviceErrorCode } from './errors.ts'
