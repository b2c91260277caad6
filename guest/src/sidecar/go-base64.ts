/** Quantums of four, the last one padded; line breaks anywhere. What the padded one has beyond whole bytes is passed over. */
const STANDARD_BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/**
 * Standard base64, padded, as the original decodes it (Go's `base64.StdEncoding`): tools that wrap their lines are common.
 * @returns undefined for what is none
 */
export function decodeGoBase64(text: string): Buffer | undefined {
  const unwrapped = text.replaceAll(/[\r\n]/g, '')
  return STANDARD_BASE64.test(unwrapped) ? Buffer.from(unwrapped, 'base64') : undefined
}
