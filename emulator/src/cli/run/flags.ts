import { readFileSync } from 'node:fs'
import type { SnpProduct, TcbVersion } from '@skerry/guest/wire'
import { InvalidArgumentError } from 'commander'
import type { LaunchRequest } from '../../control/routes.ts'
import type { DeviceGeneration } from '../../run/index.ts'
import { UsageError, unreadable } from '../usage-error.ts'

export interface RunFlags {
  readonly data?: string
  readonly policy?: string
  readonly debug?: true
  readonly vmpl?: 0 | 1 | 2 | 3
  readonly product?: SnpProduct
  readonly tcb?: Partial<TcbVersion>
  readonly identity?: string
  readonly device: DeviceGeneration
  readonly network: boolean
  readonly isolate?: true
  readonly seccompProfile?: string
  readonly seccompNode?: true
}

/** For `--vmpl`. */
export function parseVmpl(text: string): number {
  if (!/^[0-3]$/.test(text)) throw new InvalidArgumentError('a VMPL is a number from 0 to 3.')
  return Number(text)
}

const LEVELS: readonly string[] = ['bootLoader', 'tee', 'snp', 'microcode', 'fmc'] satisfies (keyof TcbVersion)[]

/** For `--tcb`: `microcode=0xdc,snp=25`. */
export function parseTcb(text: string): Partial<TcbVersion> {
  const levels = text.split(',').map((part) => {
    const [, name = '', value = ''] = /^(\w+)=(0x[0-9a-f]{1,2}|\d{1,3})$/i.exec(part) ?? []
    if (!LEVELS.includes(name) || Number(value) > 255) {
      throw new InvalidArgumentError(`${part} is not NAME=0..255 with a name of ${LEVELS.join(', ')}.`)
    }
    return [name, Number(value)] as const
  })
  return Object.fromEntries(levels)
}

export function launchRequest({ policy, debug, vmpl, product, identity }: RunFlags): LaunchRequest {
  return {
    ...(policy !== undefined && { ccePolicy: readPolicy(policy) }),
    ...(debug && { debug }),
    ...(vmpl !== undefined && { vmpl }),
    ...(product !== undefined && { product }),
    ...(identity !== undefined && { identity }),
  }
}

function readPolicy(file: string): string {
  let policy: Buffer
  try {
    policy = readFileSync(file)
  } catch (error) {
    throw unreadable('--policy', file, error)
  }
  if (policy.length === 0) throw new UsageError(`--policy ${file}: the file is empty`)
  return policy.toString('base64')
}
