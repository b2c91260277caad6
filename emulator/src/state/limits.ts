/** The largest state file that is read, unpacked. Bytes. */
export const LARGEST_STATE = 256 * 2 ** 20

export const MOST_COLLECTIONS = 256
export const MOST_DOCUMENTS = 1_000_000
export const MOST_FILES = 1_000
export const LARGEST_FILE = 65_536
/** Characters of a document's key: an ARM id has at most 2048. */
export const LONGEST_KEY = 4_096
/**
 * How far the clock may be ahead of the machine's. Beyond the range of a date (ECMA-262, 21.4.1.1) nothing here could say
 * what time it is.
 */
export const LONGEST_OFFSET_MS = 100 * 366 * 86_400_000
