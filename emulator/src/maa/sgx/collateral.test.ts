import { createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { derToPem, encodeUtf8, pemToDer } from '@skerry/guest/wire'
import { describe, expect, it } from 'vitest'
import { collateralDocument, readCollateralDocument, type SgxCollateral } from './collateral.ts'
import { buildSgxCrl, buildTcbSigning, serialOf } from './intel-profile.ts'
import { platformTcb } from './own-collateral.ts'
import { createEnclaveWorld, flipped, signBytes } from './test-enclave.ts'

const { ctx, platform, quote, unmet, keys } = createEnclaveWorld()
const QUOTE = await quote()
const NOW = ctx.clock.now()
const DAY_MS = 24 * 3600 * 1000
const signing = await keys.signing()
const root = pair(await keys.root())
const ca = pair(await keys.ca())
const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' })

const given = (change: Partial<SgxCollateral> | ((own: SgxCollateral) => Partial<SgxCollateral>)) => ({
  collateral: (own: SgxCollateral) => ({ ...own, ...(typeof change === 'function' ? change(own) : change) }),
})

describe('what says which TCB is up to date', () => {
  it('is believed when it is signed by a key below the root of the quote', async () => {
    expect(await unmet({ quote: QUOTE }, given({}))).toEqual([])
  })

  it.each(['tcbInfo', 'qeIdentity'] as const)('%s: altered text, and a signature of nothing', async (name) => {
    const altered = given((own) => ({ [name]: `${own[name]} ` }))
    expect(await unmet({ quote: QUOTE }, altered)).toEqual([`collateral.${name}.signature`])
    const unsigned = given({ [`${name}Signature`]: new Uint8Array(64) })
    expect(await unmet({ quote: QUOTE }, unsigned)).toEqual([`collateral.${name}.signature`])
  })

  it.each(['tcbInfo', 'qeIdentity'] as const)('%s: text that is no such document, though signed', async (name) => {
    for (const text of ['', '[]', '{}', '{"id":"SGX"}', 'null']) {
      const broken = given({ [name]: text, [`${name}Signature`]: signBytes(encodeUtf8(text), signing) })
      expect(await unmet({ quote: QUOTE }, broken)).toEqual([`collateral.${name}`])
    }
  })

  it.each(['tcbInfo', 'qeIdentity'] as const)('%s: signed by somebody else', async (name) => {
    const theirs = buildTcbSigning(stranger.publicKey, pair(stranger.privateKey), NOW)
    const chain = given((own) => ({
      [`${name}IssuerChain`]: derToPem(theirs) + derToPem(pemToDer(own.tcbInfoIssuerChain)[1]!),
      [`${name}Signature`]: signBytes(encodeUtf8(own[name]), stranger.privateKey),
    }))
    expect(await unmet({ quote: QUOTE }, chain)).toEqual([`collateral.${name}.issuer`])
  })

  it.each(['tcbInfo', 'qeIdentity'] as const)('%s: a chain of one, and one that is none', async (name) => {
    for (const text of ['', 'no certificates', derToPem(encodeUtf8('no certificate'))]) {
      expect(await unmet({ quote: QUOTE }, given({ [`${name}IssuerChain`]: text }))).toEqual([
        `collateral.${name}.issuer`,
      ])
    }
  })

  it.each(['tcbInfo', 'qeIdentity'] as const)('%s: an altered certificate of its signer', async (name) => {
    const altered = given((own) => {
      const [signer, top] = pemToDer(own[`${name}IssuerChain`])
      return { [`${name}IssuerChain`]: derToPem(flipped(signer!, signer!.length - 1)) + derToPem(top!) }
    })
    expect(await unmet({ quote: QUOTE }, altered)).toEqual([`collateral.${name}.issuerSignature`])
  })

  it.each(['tcbInfo', 'qeIdentity'] as const)('%s: a signer whose certificate is not valid now', async (name) => {
    for (const at of [NOW - 20 * 365 * DAY_MS, NOW + 20 * 365 * DAY_MS]) {
      const dated = given((own) => {
        const signer = buildTcbSigning(createPublicKey(signing), root, at)
        return { [`${name}IssuerChain`]: derToPem(signer) + derToPem(pemToDer(own[`${name}IssuerChain`])[1]!) }
      })
      expect(await unmet({ quote: QUOTE }, dated)).toEqual([`collateral.${name}.issuerValidity`])
    }
  })

  it('of another platform', async () => {
    const other = document('tcbInfo', { fmspc: '000000000000' })
    expect(await unmet({ quote: QUOTE }, given(other))).toEqual(['collateral.tcbInfo.platform'])
  })

  it.each([
    ['tcbInfo', 'issueDate', NOW + DAY_MS],
    ['tcbInfo', 'nextUpdate', NOW - DAY_MS],
    ['qeIdentity', 'issueDate', NOW + DAY_MS],
    ['qeIdentity', 'nextUpdate', NOW - DAY_MS],
  ] as const)('%s: %s on the wrong side of now', async (name, member, at) => {
    const dated = document(name, { [member]: new Date(at).toISOString() })
    expect(await unmet({ quote: QUOTE }, given(dated))).toEqual([`collateral.${name}.validity`])
  })

  it.each([
    ['UpToDate', []],
    ['SWHardeningNeeded', []],
    ['ConfigurationNeeded', []],
    ['ConfigurationAndSWHardeningNeeded', []],
    ['OutOfDate', ['tcb.status']],
    ['OutOfDateConfigurationNeeded', ['tcb.status']],
    ['Revoked', ['tcb.status']],
    ['Splendid', ['tcb.status']],
  ])('a level with the status %s', async (tcbStatus, reasons) => {
    const tcb = { sgxtcbcomponents: Array.from({ length: 16 }, () => ({ svn: 0 })), pcesvn: 0 }
    const levels = document('tcbInfo', { tcbLevels: [{ tcb, tcbStatus, tcbDate: '2020-01-01T00:00:00Z' }] })
    expect(await unmet({ quote: QUOTE }, given(levels))).toEqual(reasons)
  })

  it('in the form of version 2, with a member for each component', async () => {
    const tcb = Object.fromEntries(
      Array.from({ length: 16 }, (_, index) => [`sgxtcbcomp${String(index + 1).padStart(2, '0')}svn`, 16]),
    )
    const levels = (pcesvn: number) => [{ tcb: { ...tcb, pcesvn }, tcbStatus: 'UpToDate' }]
    const change = { version: 2, id: undefined, tcbLevels: levels(1) }
    expect(await unmet({ quote: QUOTE }, given(document('tcbInfo', change)))).toEqual(['tcb.status'])
    const zero = Object.fromEntries(Object.keys(tcb).map((name) => [name, 0]))
    const reached = { ...change, tcbLevels: [{ tcb: { ...zero, pcesvn: 1 }, tcbStatus: 'UpToDate' }] }
    expect(await unmet({ quote: QUOTE }, given(document('tcbInfo', reached)))).toEqual([])
  })

  it.each([
    ['mrsigner', '00'.repeat(32), ['qe.mrSigner']],
    ['isvprodid', 2, ['qe.productId']],
    ['attributes', '13000000000000000000000000000000', ['qe.attributes']],
    ['miscselect', '01000000', ['qe.miscSelect']],
    ['tcbLevels', [{ tcb: { isvsvn: 9 }, tcbStatus: 'UpToDate' }], ['qe.status']],
    ['tcbLevels', [{ tcb: { isvsvn: 1 }, tcbStatus: 'Revoked' }], ['qe.status']],
    ['tcbLevels', [], ['qe.status']],
  ])('a quoting enclave with another %s', async (member, value, reasons) => {
    expect(await unmet({ quote: QUOTE }, given(document('qeIdentity', { [member]: value })))).toEqual(reasons)
  })

  it('reads and writes the form in which other verifiers keep it', async () => {
    const own = await platform.collateral(10)
    expect(readCollateralDocument(JSON.parse(JSON.stringify(collateralDocument(own))))).toEqual(own)
    expect(() => readCollateralDocument({})).toThrow(expect.objectContaining({ code: 'ERR_SGX_COLLATERAL' }))
  })

  /** The platform's own document with other members, signed by the platform's own signer. */
  function document(name: 'tcbInfo' | 'qeIdentity', change: object) {
    return (own: SgxCollateral) => {
      const text = JSON.stringify({ ...(JSON.parse(own[name]) as object), ...change })
      return { [name]: text, [`${name}Signature`]: signBytes(encodeUtf8(text), signing) }
    }
  }
})

describe('what was revoked', () => {
  const times = { thisUpdate: NOW - DAY_MS, nextUpdate: NOW + DAY_MS }
  const at = new Date(NOW)

  it('the PCK certificate of a platform: its quotes are refused, those of another TCB are not', async () => {
    const world = createEnclaveWorld()
    const { platform } = world
    const evidence = { quote: await world.quote() }
    expect(await world.unmet(evidence)).toEqual([])
    await platform.revoke()
    expect(await world.unmet(evidence)).toEqual(['collateral.pckCrl.revoked'])
    expect(await world.unmet({ quote: await world.quote({ tcb: platformTcb(14) }) })).toEqual([])
  })

  it('the issuer of PCK certificates, and the signer of TCB information', async () => {
    for (const key of [ca.publicKey, createPublicKey(signing)]) {
      const rootCaCrl = buildSgxCrl('root', root, { ...times, revoked: [{ serial: serialOf(key), at }] })
      expect(await unmet({ quote: QUOTE }, given({ rootCaCrl }))).toEqual(['collateral.rootCrl.revoked'])
    }
  })

  it('a list by somebody else, an altered one, one that is none', async () => {
    const theirs = buildSgxCrl('processorCa', pair(stranger.privateKey), times)
    expect(await unmet({ quote: QUOTE }, given({ pckCrl: theirs }))).toEqual(['collateral.pckCrl.signature'])
    const altered = given(({ pckCrl }) => ({ pckCrl: flipped(pckCrl, pckCrl.length - 1) }))
    expect(await unmet({ quote: QUOTE }, altered)).toEqual(['collateral.pckCrl.signature'])
    for (const pckCrl of [new Uint8Array(), encodeUtf8('no list')]) {
      expect(await unmet({ quote: QUOTE }, given({ pckCrl }))).toEqual(['collateral.pckCrl'])
    }
  })

  it('a list of the past, and one of the future', async () => {
    for (const shift of [-2 * DAY_MS, 2 * DAY_MS]) {
      const moved = { thisUpdate: times.thisUpdate + shift, nextUpdate: times.nextUpdate + shift }
      const rootCaCrl = buildSgxCrl('root', root, moved)
      expect(await unmet({ quote: QUOTE }, given({ rootCaCrl }))).toEqual(['collateral.rootCrl.validity'])
    }
  })
})

function pair(privateKey: KeyObject) {
  return { privateKey, publicKey: createPublicKey(privateKey) }
}
