import { describe, expect, it } from 'vitest'
import { parseContainerState } from './container-state.ts'
import { type ProfileOptions, seccompProfile } from './profile.ts'

const options = (changed: Partial<ProfileOptions> = {}): ProfileOptions => ({
  listenerPath: '/home/me/snp.json.sock',
  deviceGeneration: 'sev-guest',
  mechanism: 'mount-namespace',
  architecture: 'x64',
  ...changed,
})

describe('the seccomp profile for container runtimes', () => {
  it('notifies the device’s ioctl by its request numbers, compared in their low half, and allows all else', () => {
    const profile = seccompProfile(options())
    expect(profile.defaultAction).toBe('SCMP_ACT_ALLOW')
    expect(profile.syscalls).toEqual(
      [0xc0205300, 0xc0205301, 0xc0205302].map((valueTwo) => ({
        names: ['ioctl'],
        action: 'SCMP_ACT_NOTIFY',
        args: [{ index: 1, value: 0xffffffff, valueTwo, op: 'SCMP_CMP_MASKED_EQ' }],
      })),
    )
  })

  it('names the requests of the other kernel generation', () => {
    const requests = seccompProfile(options({ deviceGeneration: 'sev' })).syscalls.map(
      ({ args }) => args?.[0]?.valueTwo,
    )
    expect(requests).toEqual([0xc0285300, 0xc0285301, 0xc0285302])
  })

  it('notifies what names a path only where the device is injected', () => {
    const injected = seccompProfile(options({ mechanism: 'injected-descriptor' })).syscalls
    expect(injected.at(-1)?.names).toContain('openat')
    expect(injected.at(-1)?.args).toBeUndefined()
    expect(injected.at(-1)?.names).toEqual(expect.arrayContaining(['stat', 'readlink', 'lgetxattr']))
    const arm = seccompProfile(options({ mechanism: 'injected-descriptor', architecture: 'arm64' }))
    expect(arm.syscalls.at(-1)?.names).not.toContain('stat')
    expect(arm.architectures).toEqual(['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'])
  })

  it('covers 32-bit programs, which a filter that did not name them would kill', () => {
    expect(seccompProfile(options()).architectures).toEqual(['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'])
  })

  it('says where the listener goes, and for which device', () => {
    expect(seccompProfile(options())).toMatchObject({
      listenerPath: '/home/me/snp.json.sock',
      listenerMetadata: 'skerry;device=sev-guest;by=mount-namespace',
    })
  })

  it('is not written for a processor without native parts', () => {
    expect(() => seccompProfile(options({ architecture: 'riscv64' }))).toThrow(/riscv64/)
  })
})

describe('the state that a runtime leaves', () => {
  const state = { ociVersion: '1.0', id: 'c1', status: 'creating', pid: 7, bundle: '/b' }
  const whole = { ociVersion: '1.0', fds: ['other', 'seccompFd'], pid: 7, metadata: 'm', state }

  it('says which container it is and where among the descriptors the listener is', () => {
    expect(parseContainerState(JSON.stringify(whole))).toEqual({ id: 'c1', pid: 7, metadata: 'm', listenerAt: 1 })
  })

  it.each([
    ['no JSON', '{', /is none/],
    ['no pid', JSON.stringify({ ...whole, pid: undefined }), /pid/],
    ['no state', JSON.stringify({ ...whole, state: undefined }), /state/],
    ['no listener', JSON.stringify({ ...whole, fds: ['other'] }), /container c1 names no seccompFd/],
  ])('is refused with %s', (_, text, words) => {
    expect(() => parseContainerState(text)).toThrow(expect.objectContaining({ code: 'ERR_CONTAINER_STATE' }))
    expect(() => parseContainerState(text)).toThrow(words)
  })
})
