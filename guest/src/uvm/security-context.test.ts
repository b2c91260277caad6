import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { certificationOf, NEWER_TCB } from '../testing/chip.ts'
import { encodeBase64, encodeUtf8 } from '../wire/index.ts'
import { readSecurityContext, type SecurityContextError, uvmEndorsementsOf } from './security-context.ts'

const certification = certificationOf()
const hostAmdCert = encodeBase64(encodeUtf8(JSON.stringify(certification)))
let scratch: string

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'skerry-uvm-'))
})
afterAll(() => rm(scratch, { recursive: true }))

async function directory(name: string, files: Record<string, string>): Promise<string> {
  const path = join(scratch, name)
  await mkdir(path, { recursive: true })
  for (const [file, text] of Object.entries(files)) await writeFile(join(path, file), text)
  return path
}

describe('the security context', () => {
  it('is read from the directory that UVM_SECURITY_CONTEXT_DIR names', async () => {
    const UVM_SECURITY_CONTEXT_DIR = await directory('named', {
      'host-amd-cert-base64': hostAmdCert,
      'reference-info-base64': 'AQID',
      'security-policy-base64': 'cGFja2FnZQ==',
    })
    const context = await readSecurityContext({ env: { UVM_SECURITY_CONTEXT_DIR } })
    expect(context).toEqual({
      source: UVM_SECURITY_CONTEXT_DIR,
      certification,
      referenceInfoBase64: 'AQID',
      securityPolicyBase64: 'cGFja2FnZQ==',
    })
    expect(uvmEndorsementsOf(context)).toEqual([new Uint8Array([1, 2, 3])])
  })

  it('is found in the root by its name', async () => {
    const root = await directory('root', {})
    await directory('root/security-context-123456', { 'reference-info-base64': 'AQID' })
    await expect(readSecurityContext({ env: {}, root })).resolves.toMatchObject({
      source: join(root, 'security-context-123456'),
      referenceInfoBase64: 'AQID',
    })
  })

  it('is the first of several by their names, as the original finds it', async () => {
    const root = await directory('several', {})
    await directory('several/security-context-9', { 'reference-info-base64': 'CQ==' })
    await directory('several/security-context-10', { 'reference-info-base64': 'Cg==' })
    await expect(readSecurityContext({ env: {}, root })).resolves.toMatchObject({ referenceInfoBase64: 'Cg==' })
  })

  describe.each([
    ['no reference info', {}],
    ['an empty one', { 'reference-info-base64': '\n' }],
  ])('whose directory has %s', (_what, empty) => {
    const inEnvironment = certificationOf(NEWER_TCB)
    const variables = {
      UVM_REFERENCE_INFO: 'BAUG',
      UVM_SECURITY_POLICY: 'eA==',
      UVM_HOST_AMD_CERTIFICATE: encodeBase64(encodeUtf8(JSON.stringify(inEnvironment))),
    }
    const directoryWith = (name: string) =>
      directory(`${name}-${Object.keys(empty).length}`, {
        ...empty,
        'host-amd-cert-base64': hostAmdCert,
        'security-policy-base64': 'cGFja2FnZQ==',
      })

    it('is all three of the environment, whatever else the directory has', async () => {
      const env = { ...variables, UVM_SECURITY_CONTEXT_DIR: await directoryWith('all') }
      await expect(readSecurityContext({ env })).resolves.toEqual({
        source: 'environment',
        certification: inEnvironment,
        referenceInfoBase64: 'BAUG',
        securityPolicyBase64: 'eA==',
      })
    })

    it('keeps what no variable has', async () => {
      const env = { UVM_SECURITY_POLICY: 'eA==', UVM_SECURITY_CONTEXT_DIR: await directoryWith('some') }
      const context = await readSecurityContext({ env })
      expect(context).toMatchObject({ certification, securityPolicyBase64: 'eA==' })
      expect(context).not.toHaveProperty('referenceInfoBase64')
    })
  })

  it('is not completed from the environment where the directory has reference info', async () => {
    const UVM_SECURITY_CONTEXT_DIR = await directory('partial', { 'reference-info-base64': 'AQID' })
    const env = { UVM_SECURITY_CONTEXT_DIR, UVM_REFERENCE_INFO: 'BAUG', UVM_HOST_AMD_CERTIFICATE: hostAmdCert }
    await expect(readSecurityContext({ env })).resolves.toEqual({
      source: UVM_SECURITY_CONTEXT_DIR,
      referenceInfoBase64: 'AQID',
    })
  })

  it('is read from base64 in lines of 76 characters, as from one line', async () => {
    const UVM_SECURITY_CONTEXT_DIR = await directory('lines', {
      'host-amd-cert-base64': `${hostAmdCert.match(/.{1,76}/g)!.join('\r\n')}\n`,
      'reference-info-base64': 'AQ\nID\n',
    })
    const context = await readSecurityContext({ env: { UVM_SECURITY_CONTEXT_DIR } })
    expect(context.certification).toEqual(certification)
    expect(uvmEndorsementsOf(context)).toEqual([new Uint8Array([1, 2, 3])])
  })

  it('has what newer hosts add, and their form of the endorsement where there is no other', async () => {
    const UVM_SECURITY_CONTEXT_DIR = await directory('newer', {
      'transparent-reference-info-base64': 'BwgJ',
      'tcb-reference-info-base64': 'Cg==',
      'platform-reference-info-base64': 'Cw==',
    })
    const context = await readSecurityContext({ env: { UVM_SECURITY_CONTEXT_DIR } })
    expect(context).toEqual({
      source: UVM_SECURITY_CONTEXT_DIR,
      transparentReferenceInfoBase64: 'BwgJ',
      tcbReferenceInfoBase64: 'Cg==',
      platformReferenceInfoBase64: 'Cw==',
    })
    expect(uvmEndorsementsOf(context)).toEqual([new Uint8Array([7, 8, 9])])
    expect(uvmEndorsementsOf({ ...context, referenceInfoBase64: 'AQID' })).toEqual([new Uint8Array([1, 2, 3])])
    expect(() => uvmEndorsementsOf({ source: 'x', transparentReferenceInfoBase64: '*' })).toThrow(
      'transparent-reference-info-base64',
    )
  })

  it('may be nowhere', async () => {
    const context = await readSecurityContext({ env: {}, root: await directory('empty', {}) })
    expect(context).toEqual({ source: 'nowhere' })
    expect(uvmEndorsementsOf(context)).toEqual([])
  })

  it('with certificates that are not base64 of JSON names the file', async () => {
    const UVM_SECURITY_CONTEXT_DIR = await directory('broken', { 'host-amd-cert-base64': 'e30=' })
    const reading = readSecurityContext({ env: { UVM_SECURITY_CONTEXT_DIR } })
    await expect(reading).rejects.toMatchObject({
      code: 'ERR_SECURITY_CONTEXT',
      file: join(UVM_SECURITY_CONTEXT_DIR, 'host-amd-cert-base64'),
    })
  })

  it('with such certificates is the rest, for who wants to be told and to go on', async () => {
    const UVM_SECURITY_CONTEXT_DIR = await directory('told', {
      'host-amd-cert-base64': 'e30=',
      'reference-info-base64': 'AQID',
    })
    const told: SecurityContextError[] = []
    const context = await readSecurityContext({
      env: { UVM_SECURITY_CONTEXT_DIR },
      problem: (error) => void told.push(error),
    })
    expect(context).toEqual({ source: UVM_SECURITY_CONTEXT_DIR, referenceInfoBase64: 'AQID' })
    expect(told.map(({ message }) => message)).toEqual([expect.stringContaining('host-amd-cert-base64')])
  })

  it('with an endorsement that is not base64 names it', () => {
    expect(() => uvmEndorsementsOf({ source: 'x', referenceInfoBase64: '***' })).toThrow('reference-info-base64')
  })
})
