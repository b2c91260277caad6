import { decodeBase64, sha256 } from './bytes.ts'
import { WireError } from './errors.ts'

/**
 * HOST_DATA of a confidential container group: SHA-256 of the CCE policy as it is decoded from the template's
 * `confidentialComputeProperties.ccePolicy` (Rego text, exactly these bytes).
 * @param ccePolicyBase64 standard base64 with padding and without line breaks
 * @throws WireError `ERR_CCE_POLICY_EMPTY`, `ERR_CCE_POLICY_NOT_BASE64`
 */
export async function hostDataOfCcePolicy(
  ccePolicyBase64: string,
): Promise<{ hostData: Uint8Array<ArrayBuffer>; policy: Uint8Array<ArrayBuffer> }> {
  if (ccePolicyBase64 === '') throw new WireError('ERR_CCE_POLICY_EMPTY', 'the CCE policy is empty')
  let policy: Uint8Array<ArrayBuffer>
  try {
    policy = decodeBase64(ccePolicyBase64)
  } catch (cause) {
    throw new WireError('ERR_CCE_POLICY_NOT_BASE64', 'the CCE policy is not standard base64 with padding', undefined, {
      cause,
    })
  }
  return { hostData: await sha256(policy), policy }
}
