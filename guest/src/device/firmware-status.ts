/** Name and meaning of a status of the secure processor's firmware. */
export interface FirmwareStatus {
  /** AMD's own name. */
  readonly name: string
  readonly words: string
}

/** AMD 56860, "Status Codes", by number. */
export const FIRMWARE_STATUSES: Readonly<Record<number, FirmwareStatus>> = {
  1: { name: 'INVALID_PLATFORM_STATE', words: 'the platform is in the wrong state' },
  2: { name: 'INVALID_GUEST_STATE', words: 'the guest is in the wrong state' },
  3: { name: 'INVALID_CONFIG', words: 'the platform configuration is bad' },
  4: { name: 'INVALID_LENGTH', words: 'a length is bad' },
  5: { name: 'ALREADY_OWNED', words: 'the platform is already owned' },
  6: { name: 'INVALID_CERTIFICATE', words: 'a certificate is bad' },
  7: { name: 'POLICY_FAILURE', words: 'the guest policy forbids it' },
  8: { name: 'INACTIVE', words: 'the guest is inactive' },
  9: { name: 'INVALID_ADDRESS', words: 'an address is bad' },
  10: { name: 'BAD_SIGNATURE', words: 'a signature is bad' },
  11: { name: 'BAD_MEASUREMENT', words: 'a measurement is bad' },
  12: { name: 'ASID_OWNED', words: 'the ASID is owned' },
  13: { name: 'INVALID_ASID', words: 'the ASID is bad' },
  14: { name: 'WBINVD_REQUIRED', words: 'WBINVD is required' },
  15: { name: 'DFFLUSH_REQUIRED', words: 'DF_FLUSH is required' },
  16: { name: 'INVALID_GUEST', words: 'the guest handle is bad' },
  17: { name: 'INVALID_COMMAND', words: 'the command is bad' },
  18: { name: 'ACTIVE', words: 'the guest is active' },
  19: { name: 'HWERROR_PLATFORM', words: 'hardware error, the platform is safe' },
  20: { name: 'HWERROR_UNSAFE', words: 'hardware error, the platform is unsafe' },
  21: { name: 'UNSUPPORTED', words: 'not supported' },
  22: { name: 'INVALID_PARAM', words: 'a parameter is bad' },
  23: { name: 'RESOURCE_LIMIT', words: 'out of resources' },
  24: { name: 'SECURE_DATA_INVALID', words: 'integrity check of secure data failed' },
  25: { name: 'INVALID_PAGE_SIZE', words: 'a page has the wrong size' },
  26: { name: 'INVALID_PAGE_STATE', words: 'a page is in the wrong state' },
  27: { name: 'INVALID_MDATA_ENTRY', words: 'a metadata entry is bad' },
  28: { name: 'INVALID_PAGE_OWNER', words: 'a page has the wrong owner' },
  29: { name: 'AEAD_OFLOW', words: 'the AEAD sequence overflowed' },
  31: { name: 'RB_MODE_EXITED', words: 'the ring buffer mode was left' },
  32: { name: 'RMP_INIT_REQUIRED', words: 'the RMP must be initialised' },
  33: { name: 'BAD_SVN', words: 'the SVN is below the committed one' },
  34: { name: 'BAD_VERSION', words: 'the firmware version is below the committed one' },
  35: { name: 'SHUTDOWN_REQUIRED', words: 'a shutdown is required' },
  36: { name: 'UPDATE_FAILED', words: 'the update failed' },
  37: { name: 'RESTORE_REQUIRED', words: 'a restore is required' },
  38: { name: 'RMP_INIT_FAILED', words: 'RMP initialisation failed' },
  39: { name: 'INVALID_KEY', words: 'the key is not valid' },
}
