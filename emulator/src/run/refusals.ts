import { readFileSync } from 'node:fs'
import type { RunnerErrorCode } from './errors.ts'

/** A step that the kernel refused: which feature it is, and why, where this machine says so. */
export interface Refusal {
  readonly code: RunnerErrorCode
  /** Without a full stop. */
  readonly message: string
}

interface Switch {
  readonly path: string
  readonly refusing: string
  readonly code: RunnerErrorCode
  readonly says: string
}

/** Below /proc/sys. */
const SWITCHES: readonly Switch[] = [
  {
    path: 'kernel/apparmor_restrict_unprivileged_userns',
    refusing: '1',
    code: 'ERR_USER_NAMESPACES_RESTRICTED',
    says: 'AppArmor restricts unprivileged user namespaces: kernel.apparmor_restrict_unprivileged_userns is 1',
  },
  {
    path: 'kernel/unprivileged_userns_clone',
    refusing: '0',
    code: 'ERR_USER_NAMESPACES_DISABLED',
    says: 'kernel.unprivileged_userns_clone is 0',
  },
  {
    path: 'user/max_user_namespaces',
    refusing: '0',
    code: 'ERR_USER_NAMESPACES_DISABLED',
    says: 'user.max_user_namespaces is 0',
  },
]

const NO_NOTIFICATION = new Set(['ENOSYS', 'EINVAL', 'EPERM', 'EACCES'])

/**
 * @param step as the launcher names it: the feature first
 * @param readSwitch the content of a file below /proc/sys, trimmed; undefined where there is none
 */
export function refusalOf(step: string, errno: string, readSwitch = readSysctl): Refusal {
  const message = `${step} failed with ${errno}`
  if (step.startsWith('seccomp user notification')) {
    if (errno === 'EBUSY') {
      const words = `${message}: a process above this one has a seccomp listener already, and there can be one in a tree`
      return { code: 'ERR_SECCOMP_LISTENER_TAKEN', message: words }
    }
    return { code: NO_NOTIFICATION.has(errno) ? 'ERR_SECCOMP_MISSING' : 'ERR_CONFINEMENT', message }
  }
  const code = codeOf(step)
  if (code === 'ERR_CONFINEMENT') return { code, message }
  const cause = SWITCHES.find(({ path, refusing }) => readSwitch(path) === refusing)
  return cause === undefined ? { code, message } : { code: cause.code, message: `${message} (${cause.says})` }
}

function codeOf(step: string): RunnerErrorCode {
  if (step.startsWith('user namespace')) return 'ERR_USER_NAMESPACE'
  if (step.startsWith('mount namespace') || step.startsWith('device node')) return 'ERR_MOUNT_NAMESPACE'
  return step.startsWith('network namespace') ? 'ERR_NETWORK_NAMESPACE' : 'ERR_CONFINEMENT'
}

function readSysctl(path: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/${path}`, 'utf8').trim()
  } catch {
    return undefined
  }
}
