import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { SECURITY_CONTEXT_FILES } from '@skerry/guest/wire'
import type { Random } from '../core/index.ts'
import type { VirtualProcessor } from '../psp/types.ts'

/**
 * Writes the directory that a confidential container finds through UVM_SECURITY_CONTEXT_DIR, named as the guest agent
 * names it (`security-context-` and a decimal): the host's AMD certificates, the endorsement of the utility VM, and the
 * policy, each in base64.
 * @returns the path of the directory
 */
export async function writeSecurityContext(
  parent: string,
  options: { readonly psp: VirtualProcessor; readonly policy: Uint8Array; readonly random: Random },
): Promise<string> {
  const { psp, policy, random } = options
  const [certification, endorsement] = await Promise.all([psp.thim(), psp.uvm.endorsement()])
  const directory = join(parent, `security-context-${random.bytes(4).readUInt32BE()}`)
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const write = (name: string, content: string | Uint8Array) => {
    writeFileSync(join(directory, name), Buffer.from(content).toString('base64'), { mode: 0o600 })
  }
  write(SECURITY_CONTEXT_FILES.hostAmdCert, JSON.stringify(certification))
  write(SECURITY_CONTEXT_FILES.referenceInfo, endorsement)
  write(SECURITY_CONTEXT_FILES.securityPolicy, policy)
  return directory
}
