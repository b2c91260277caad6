import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { encodeSgxAttestRequest, encodeUtf8 } from '@skerry/guest/wire'
import { decodeJwt } from 'jose'
import { beforeAll, describe, expect, it } from 'vitest'
import { processorRoutes } from '../../emulator/src/control/processor-routes.ts'
import { createTestContext } from '../../emulator/src/core/test-context.ts'
import { createTokenVerifier } from '../../emulator/src/entra/index.ts'
import { imdsRoutes } from '../../emulator/src/imds/routes.ts'
import { azureCacheRoutes, keyDistributionRoutes } from '../../emulator/src/kds/routes.ts'
import { attestCalls } from '../../emulator/src/maa/attest-calls.ts'
import { createGate } from '../../emulator/src/maa/caller.ts'
import { createEvidenceVerifier } from '../../emulator/src/maa/evidence/verifier.ts'
import type { EvidenceKind } from '../../emulator/src/maa/evidence-kind.ts'
import { createMaaService } from '../../emulator/src/maa/index.ts'
import { attestationRoutes } from '../../emulator/src/maa/routes.ts'
import {
  createQuoteVerifier,
  createSgxPlatform,
  openEnclaveKind,
  sgxEnclaveKind,
} from '../../emulator/src/maa/sgx/index.ts'
import { sevSnpKind } from '../../emulator/src/maa/snp.ts'
import { ATTEST_URL, createAttestationWorld } from '../../emulator/src/maa/test-world.ts'
import { createProcessor } from '../../emulator/src/psp/index.ts'
import { createAuthorizer } from '../../emulator/src/rbac/index.ts'
import { readRows } from '../support/coverage-rows.ts'
import { ROOT } from '../support/skerry.ts'
import { expectTest, readNamedTest } from '../support/test-titles.ts'

// The table of evidence against the code: claims as they are given out, routes as they are registered, checks and errors as
// they stand in the sources.

const EMULATOR = join(ROOT, 'emulator')
const MAA = join(EMULATOR, 'src/maa')
const rows = readRows(readFileSync(join(EMULATOR, 'COVERAGE-EVIDENCE.md'), 'utf8'))
const tests = [...new Set(rows.flatMap(({ shownBy }) => shownBy))].map(readNamedTest)
const { ctx } = createTestContext()

/** What stands between backticks in the first column of the tables of a kind. */
function named(kind: string): string[] {
  const ofKind = rows.filter(({ header }) => header[0] === kind)
  return ofKind.flatMap(({ cells }) =>
    [...cells[0]!.matchAll(/`([^`]+)`/g)].map(([, name]) => name!.replaceAll('\\|', '|')),
  )
}

describe('the table of what is covered of evidence', () => {
  it('has a row for every route of the attestation service, and for no other', () => {
    const kinds = [
      sevSnpKind(createEvidenceVerifier(async () => ({ roots: [], uvm: [] }))),
      ...[sgxEnclaveKind, openEnclaveKind].map((kindOf) => kindOf(createQuoteVerifier(async () => ({ roots: [] })))),
    ] as readonly EvidenceKind[]
    const gate = createGate(ctx, { tokens: createTokenVerifier(ctx), authorizer: createAuthorizer(ctx) })
    expect(named('route of attestation').toSorted()).toEqual(
      routesOf(attestationRoutes(ctx, { calls: attestCalls(ctx, kinds), gate })),
    )
  })

  it('has a row for every route of certificates and of the processor', () => {
    const psp = createProcessor(ctx)
    const apps = [keyDistributionRoutes(ctx, { psp }), azureCacheRoutes(ctx, { psp }), processorRoutes(psp)]
    const thim = routesOf(imdsRoutes(ctx, { psp })).filter((route) => route.includes('THIM'))
    const control = readFileSync(join(EMULATOR, 'src/control/routes.ts'), 'utf8')
    const ofControl = [...control.matchAll(/\.(get|post|put|delete)\('(\/\.skerry\/(?:psp|attestation)[^']*)'/g)]
    expect(ofControl.length).toBeGreaterThan(4)
    const all = [
      ...apps.flatMap(routesOf),
      ...thim,
      ...ofControl.map(([, method, path]) => `${method!.toUpperCase()} ${path}`),
    ]
    expect(named('route of certificates').toSorted()).toEqual(all.toSorted())
  })

  describe('has a row for every claim', () => {
    let claims: readonly string[]
    beforeAll(async () => {
      claims = [...new Set([...(await claimsOfGuest()), ...(await claimsOfEnclaves())])]
    })

    it('of a token of a guest, and of an enclave', () => {
      expect(claims.length).toBeGreaterThan(45)
      expect(named('claim')).toEqual(expect.arrayContaining([...claims]))
    })

    it('that the sources name', () => {
      const sources = [...sourcesOf(MAA), ...['snp', 'sgx'].map((tee) => join(ROOT, `guest/src/wire/${tee}-claims.ts`))]
      const literals = sources.flatMap((file) => matches(file, /'((?:x-ms|maa|aas)-[\w-]+)'/g))
      // Headers, and a name of key material.
      const others = ['x-ms-maa-service-version', 'x-ms-request-id', 'maa-signing']
      expect(named('claim')).toEqual(expect.arrayContaining(literals.filter((name) => !others.includes(name))))
    })
  })

  it('has a row for every check that the journal can tell of, and for no other', () => {
    expect(new Set(named('check'))).toEqual(new Set(checksOfSources()))
  })

  it('has a row for every error code of the attestation service', () => {
    const codes = sourcesOf(MAA).flatMap((file) =>
      matches(file, /(?:AttestationError\(\s*\d+,|\benclave\()\s*'(\w+)'/g),
    )
    expect(codes).toEqual(expect.arrayContaining(['InvalidParameter', 'PolicyParsingError', 'SkerryNoSuchProvider']))
    expect(named('error')).toEqual(expect.arrayContaining(codes))
  })

  it('has a row for every way in which a request of a guest fails', () => {
    const source = readFileSync(join(EMULATOR, 'src/psp/errors.ts'), 'utf8')
    const union = /GuestRequestFailure = ([^\n]+)/.exec(source)![1]!
    const failures = [...union.matchAll(/'(\w+)'/g)].map(([, name]) => name!)
    expect(failures).toContain('sequence')
    expect(named('error')).toEqual(expect.arrayContaining(failures))
  })

  it('names a test in every row', () => {
    expect(rows.length).toBeGreaterThan(150)
    for (const { cells, shownBy } of rows) expect(shownBy.length, cells[0]).toBeGreaterThan(0)
  })

  it.each(tests)('$file: $title', ({ file, title }) => {
    expectTest(resolve(EMULATOR, file), title)
  })
})

/** `METHOD /path`, sorted, without what stands before all routes. */
function routesOf(app: { readonly routes: readonly { readonly method: string; readonly path: string }[] }): string[] {
  const routes = app.routes.filter(({ path }) => path !== '/*').map(({ method, path }) => `${method} ${path}`)
  return [...new Set(routes)].toSorted()
}

async function claimsOfGuest(): Promise<string[]> {
  const response = await createAttestationWorld().attest({ nonce: 7n })
  return Object.keys(decodeJwt(((await response.json()) as { token: string }).token))
}

/** With runtime data of either type, and with everything that key separation and sharing adds. */
async function claimsOfEnclaves(): Promise<string[]> {
  const world = createTestContext()
  const sgx = createSgxPlatform(world.ctx)
  world.use(createMaaService(world.ctx, { psp: createProcessor(world.ctx), sgx }))
  const data = encodeUtf8('{}')
  const digest = new Uint8Array(createHash('sha256').update(data).digest())
  const evidence = await sgx
    .launch({ kss: { configId: Uint8Array.of(...digest, ...new Uint8Array(32)) } })
    .quote(digest)
  const answers = (['JSON', 'Binary'] as const).map(async (dataType) => {
    const runtimeData = { data, dataType }
    const body = encodeSgxAttestRequest('quote', { evidence, runtimeData, initTimeData: { data, dataType: 'JSON' } })
    const url = ATTEST_URL.replace('SevSnpVm', 'SgxEnclave')
    const response = await world.fetch(new Request(url, { method: 'POST', body }))
    return Object.keys(decodeJwt(((await response.json()) as { token: string }).token))
  })
  return (await Promise.all(answers)).flat()
}

/**
 * Names of checks as they are written: the first argument of what makes a check, whole or after a name that is handed on.
 */
function checksOfSources(): string[] {
  const rooms = [
    'certificates',
    'report',
    'vcek',
    'uvm',
    'quote',
    'qe',
    'tcb',
    'collateral',
    'policy',
    'token',
    'provider',
  ]
  const dotted = new RegExp(`'((?:${rooms.join('|')})\\.[\\w.]+)'`, 'g')
  const plain = /\b(?:check|malformed|looks\.at)\(\s*[`'](\w+)(?:'|\$\{)/g
  const files = sourcesOf(MAA).filter((file) => !/\/(?:metadata|tokens|parse)\.ts$/.test(file))
  const written = files.flatMap((file) => [...matches(file, dotted), ...matches(file, plain)])
  const ofCallers = matches(join(MAA, 'caller.ts'), /\bname: '(\w+)'/g)
  const handedOn = [
    ['sgx/evaluation.ts', 'collateral.tcbInfo', 'collateral.qeIdentity'],
    ['sgx/revocation.ts', 'collateral.pckCrl', 'collateral.rootCrl'],
    ['evidence/attested-data.ts', 'runtimeData', 'initTimeData'],
  ].flatMap(([file, ...names]) => {
    const ends = matches(join(MAA, file!), /`\$\{name\}(\.\w+)`/g)
    expect(ends.length, file).toBeGreaterThan(0)
    return names.flatMap((name) => ends.map((end) => name + end))
  })
  const rules = matches(join(ROOT, 'guest/src/wire/report.ts'), /'ERR_REPORT_(\w+)'/g)
  return [...written, ...ofCallers, ...handedOn, ...rules.map((rule) => `report.${rule.toLowerCase()}`)]
}

function sourcesOf(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !/\.test\.ts$|(?:^|\/)test-[\w-]+\.ts$/.test(name))
    .map((name) => join(folder, name))
}

const matches = (file: string, pattern: RegExp) =>
  [...readFileSync(file, 'utf8').matchAll(pattern)].map((one) => one[1]!)
