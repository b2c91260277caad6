import { describe, expect, it } from 'vitest'
import { refusalOf } from './refusals.ts'

const machine = (switches: Record<string, string>) => (path: string) => switches[path]
const UNSHARE = 'user namespace (unshare CLONE_NEWUSER)'

describe('a step that the kernel refuses', () => {
  it.each([
    [UNSHARE, 'EPERM', 'ERR_USER_NAMESPACE'],
    ['mount namespace (tmpfs over /dev)', 'EPERM', 'ERR_MOUNT_NAMESPACE'],
    ['device node (bind the SNP device)', 'EINVAL', 'ERR_MOUNT_NAMESPACE'],
    ['network namespace (unshare CLONE_NEWNET)', 'EPERM', 'ERR_NETWORK_NAMESPACE'],
    ['seccomp user notification (SECCOMP_FILTER_FLAG_NEW_LISTENER)', 'ENOSYS', 'ERR_SECCOMP_MISSING'],
    ['seccomp user notification (SECCOMP_FILTER_FLAG_NEW_LISTENER)', 'EBUSY', 'ERR_SECCOMP_LISTENER_TAKEN'],
    ['fork', 'EAGAIN', 'ERR_CONFINEMENT'],
  ])('%s with %s is %s', (step, errno, code) => {
    const refusal = refusalOf(step, errno, machine({}))
    expect(refusal.code).toBe(code)
    expect(refusal.message).toContain(`${step} failed with ${errno}`)
  })

  it.each([
    ['kernel/apparmor_restrict_unprivileged_userns', '1', 'ERR_USER_NAMESPACES_RESTRICTED', /AppArmor/],
    ['kernel/unprivileged_userns_clone', '0', 'ERR_USER_NAMESPACES_DISABLED', /unprivileged_userns_clone is 0/],
    ['user/max_user_namespaces', '0', 'ERR_USER_NAMESPACES_DISABLED', /max_user_namespaces is 0/],
  ])('is explained by %s being %s', (path, value, code, says) => {
    const refusal = refusalOf(UNSHARE, 'EPERM', machine({ [path]: value }))
    expect(refusal).toEqual({ code, message: expect.stringMatching(says) })
  })

  it('is explained by AppArmor where the namespace was given and its privileges were not', () => {
    const ubuntu = machine({ 'kernel/apparmor_restrict_unprivileged_userns': '1', 'user/max_user_namespaces': '63000' })
    expect(refusalOf('mount namespace (make / private)', 'EACCES', ubuntu).code).toBe('ERR_USER_NAMESPACES_RESTRICTED')
  })

  it('is not put down to a switch that has nothing to do with it', () => {
    expect(refusalOf('fork', 'EAGAIN', machine({ 'user/max_user_namespaces': '0' })).message).toBe(
      'fork failed with EAGAIN',
    )
  })
})
