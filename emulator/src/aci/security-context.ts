import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SECURITY_CONTEXT_FILES } from '@skerry/guest/wire'
import type { Random } from '../core/index.ts'
import type { VirtualProcessor } from '../psp/types.ts'

/**
 * The files of a security context by name, in base64, as the guest agent of a newer utility VM writes them: the host's
 * AMD certificates, the policy, and the endorsement of the utility VM in both forms. The reference values of TCB and
 * platform that such an agent may add are not here: nothing is published of what they hold.
 */
export async function securityContextFiles(psp: VirtualProcessor, policy: Uint8Array): Promise<Record<string, string>> {
  const [certification, endorsement, transparent] = await Promise.all([
    psp.thim(),
    psp.uvm.endorsement(),
    psp.uvm.transparentEndorsement(),
  ])
  const base64 = (content: string | Uint8Array) => Buffer.from(content).toString('base64')
  return {
    [SECURITY_CONTEXT_FILES.hostAmdCert]: base64(JSON.stringify(certification)),
    [SECURITY_CONTEXT_FILES.referenceInfo]: base64(endorsement),
    [SECURITY_CONTEXT_FILES.transparentReferenceInfo]: base64(transparent),
    [SECURITY_CONTEXT_FILES.securityPolicy]: base64(policy),
  }
}

/**
 * Writes the directory that a confidential container finds through UVM_SECURITY_CONTEXT_DIR, named as the guest agent
 * names it (`security-context-` and a decimal).
 * @returns the path of the directory
 */
export async function writeSecurityContext(
  parent: string,
  options: { readonly psp: VirtualProcessor; readonly policy: Uint8Array; readonly random: Random },
): Promise<string> {
  const { psp, policy, random } = options
  const files = await securityContextFiles(psp, policy)
  const directory = join(parent, `security-context-${random.bytes(4).readUInt32BE()}`)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content, { mode: 0o600 })
  return directory
}
