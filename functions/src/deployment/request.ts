import {
  aciReleasePolicy,
  HOST_DATA_CLAIM,
  hostDataOfCcePolicy,
  type ImportKeyConfig,
  parseImportKeyConfig,
  WireError,
} from '@skerry/guest/wire'
import * as v from 'valibot'
import { sameId } from '../azure/group-id.ts'
import { type Fault, Problem } from '../problem.ts'
import type { DeploymentSpec, KeySpec } from './record.ts'
import { escapeMember, findSecrets } from './secrets.ts'
import { readTemplate } from './template.ts'

/** Larger bodies are refused unread: ARM itself takes templates up to 4 MB, Durable's history is no place for one. */
export const MAX_BODY_BYTES = 1024 * 1024

const Name = v.pipe(
  v.string(),
  v.regex(
    /^[a-z0-9](?:[a-z0-9-]{0,48}[a-z0-9])?$/,
    'must be 1 to 50 lower-case letters, digits and hyphens, with no hyphen at either end',
  ),
)
const Text = v.pipe(v.string(), v.nonEmpty('must not be empty'))

/** Body of `POST /api/deployments` (and, without `name` and `importKeyConfig`, of an upgrade). */
const DeploymentBody = v.strictObject({
  name: Name,
  resourceGroup: Text,
  location: Text,
  template: v.record(v.string(), v.unknown()),
  parameters: v.optional(v.record(v.string(), v.strictObject({ value: v.unknown() })), {}),
  importKeyConfig: v.record(v.string(), v.unknown()),
})

const UpgradeBody = v.strictObject({
  template: v.record(v.string(), v.unknown()),
  parameters: v.optional(v.record(v.string(), v.strictObject({ value: v.unknown() })), {}),
})

const KeyBody = v.strictObject({
  importKeyConfig: v.record(v.string(), v.unknown()),
  ccePolicy: Text,
})

/**
 * Turns a request body into what is to be deployed. Nothing is created or started here, and every fault is told at once.
 * @throws Problem 400 with a JSON pointer for each fault; secrets are looked for before anything else is read
 */
export async function readDeploymentRequest(body: unknown, subscriptionId: string): Promise<DeploymentSpec> {
  refuseSecrets(body)
  const request = parse(DeploymentBody, body)
  return await assemble({ ...request, subscriptionId }, readKey(request.importKeyConfig))
}

/** The same for an upgrade: the key and the names stay those of the deployment. */
export async function readUpgradeRequest(body: unknown, current: DeploymentSpec): Promise<DeploymentSpec> {
  refuseSecrets(body)
  const request = parse(UpgradeBody, body)
  const spec = await assemble({ ...current, ...request }, { key: current.key, claims: current.key.claims })
  if (sameId(spec.reading.identityId, current.reading.identityId)) return spec
  const pointer = `${spec.reading.groupPointer}/identity/userAssignedIdentities`
  const detail = `must stay ${current.reading.identityId}: that identity may release the key`
  throw invalid([{ code: 'ERR_IDENTITY_CHANGED', pointer, detail }])
}

/** A key alone: its description, and the host data that its policy will ask for. */
export async function readKeyRequest(body: unknown): Promise<{ key: KeySpec; hostData: string }> {
  refuseSecrets(body)
  const request = parse(KeyBody, body)
  const { key, claims } = readKey(request.importKeyConfig)
  const hostData = await digest(request.ccePolicy, '/ccePolicy')
  return { key: { ...key, claims: checkClaims(key, claims, hostData) }, hostData }
}

type Target = Omit<DeploymentSpec, 'reading' | 'key'>

async function assemble(target: Target, { key, claims }: ReadKey): Promise<DeploymentSpec> {
  const { subscriptionId, resourceGroup, template, parameters } = target
  const { reading, faults } = readTemplate({ subscriptionId, resourceGroup, template, parameters })
  if (!reading) throw invalid(faults)
  const hostData = await digest(
    reading.ccePolicy,
    `${reading.groupPointer}/properties/confidentialComputeProperties/ccePolicy`,
  )
  const checked = checkClaims(key, claims, hostData)
  const mismatches = [
    differ(reading.kid.split('/', 1)[0]!, key.name, '/importKeyConfig/key/kid', 'the key that the template asks for'),
    differ(reading.vaultHost, key.vaultHost, '/importKeyConfig/key/akv/endpoint', 'the vault that the template asks'),
    differ(
      reading.maaHost,
      key.authority,
      '/importKeyConfig/key/authority/endpoint',
      'the attestation provider that the template asks',
    ),
  ].filter((fault) => fault !== undefined)
  if (mismatches.length > 0) throw invalid(mismatches)
  const { name, location } = target
  return {
    name,
    subscriptionId,
    resourceGroup,
    location,
    template,
    parameters,
    reading,
    key: { ...key, claims: checked },
  }
}

interface ReadKey {
  readonly key: KeySpec
  readonly claims: ImportKeyConfig['claims']
}

function readKey(value: unknown): ReadKey {
  const config = parseConfig(value)
  const vaultHost = config.key.akv.endpoint.toLowerCase()
  const faults: Fault[] = []
  const fault = (code: string, pointer: string, detail: string) =>
    faults.push({ code, pointer: `/importKeyConfig${pointer}`, detail })
  if (!/^[a-z0-9-]{3,24}\.(vault|managedhsm)\.[a-z0-9.-]+$/.test(vaultHost)) {
    fault(
      'ERR_VAULT_ENDPOINT',
      '/key/akv/endpoint',
      'must be the host name of a vault or managed HSM, without https://',
    )
  }
  if (!/^[a-z0-9-]+(\.[a-z0-9-]+)+$/i.test(config.key.authority.endpoint)) {
    fault(
      'ERR_AUTHORITY',
      '/key/authority/endpoint',
      'must be the host name of an attestation provider, without https://',
    )
  }
  const { kty } = config.key
  if (kty !== 'RSA-HSM' && kty !== 'oct-HSM') {
    fault('ERR_UNSUPPORTED_KTY', '/key/kty', `${kty} keys cannot show possession by decrypting; use RSA-HSM or oct-HSM`)
  }
  if (faults.length > 0 || (kty !== 'RSA-HSM' && kty !== 'oct-HSM')) throw invalid(faults)
  return {
    key: {
      name: config.key.kid,
      kty,
      vaultHost,
      authority: config.key.authority.endpoint.toLowerCase(),
      claims: [],
    },
    claims: config.claims,
  }
}

function parseConfig(value: unknown): ImportKeyConfig {
  try {
    return parseImportKeyConfig(value)
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    throw invalid([{ code: error.code, pointer: `/importKeyConfig${error.at ?? ''}`, detail: error.message }])
  }
}

/**
 * The configuration's own conditions. Its host data may be left as the example's placeholder; where it is given it must
 * be that of the policy, and the wire's rules refuse what contradicts the conditions that always hold.
 */
function checkClaims(key: KeySpec, claims: ImportKeyConfig['claims'], hostData: string): ImportKeyConfig['claims'] {
  const given = claims.map((way) => way.filter(({ equals }) => !isPlaceholder(equals)))
  try {
    aciReleasePolicy({ authority: key.authority, hostData, claims: given })
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    throw invalid([{ code: error.code, pointer: `/importKeyConfig${error.at ?? ''}`, detail: error.message }])
  }
  return given.map((way) => way.filter(({ claim }) => claim !== HOST_DATA_CLAIM))
}

/** The example leaves `<hash-digest-of-the-security-policy>` for a person to fill in; here the policy itself says it. */
function isPlaceholder(value: unknown): boolean {
  return typeof value === 'string' && (value === '' || /^<.*>$/.test(value))
}

async function digest(ccePolicy: string, pointer: string): Promise<string> {
  try {
    const { hostData } = await hostDataOfCcePolicy(ccePolicy)
    return Buffer.from(hostData).toString('hex')
  } catch (error) {
    if (!(error instanceof WireError)) throw error
    throw invalid([{ code: error.code, pointer, detail: error.message }])
  }
}

function refuseSecrets(body: unknown): void {
  const faults = findSecrets(body)
  if (faults.length > 0) {
    throw new Problem(400, 'ERR_SECRET_IN_REQUEST', 'The request holds secrets; nothing of it was kept.', faults)
  }
}

function parse<T>(schema: v.GenericSchema<unknown, T>, body: unknown): T {
  const result = v.safeParse(schema, body)
  if (result.success) return result.output
  throw invalid(
    result.issues.map((issue) => ({
      code: issue.type === 'strict_object' && issue.expected === 'never' ? 'ERR_UNKNOWN_FIELD' : 'ERR_FIELD',
      pointer: (issue.path ?? []).map(({ key }) => `/${escapeMember(String(key))}`).join(''),
      detail: describe(issue),
    })),
  )
}

/** Says what was wrong without repeating what was sent. */
function describe(issue: v.BaseIssue<unknown>): string {
  if (issue.type === 'strict_object')
    return issue.expected === 'never' ? 'is not a field of this request' : 'is required'
  if (issue.kind === 'schema') return `must be ${issue.expected ?? 'of another type'}`
  return issue.message
}

function differ(found: string, wanted: string, pointer: string, what: string): Fault | undefined {
  if (found.toLowerCase() === wanted.toLowerCase()) return undefined
  return { code: 'ERR_MISMATCH', pointer, detail: `is ${wanted}, but ${what} for is ${found}` }
}

function invalid(faults: readonly Fault[]): Problem {
  const first = faults[0]
  const detail = first ? `${first.pointer} ${first.detail}` : 'The request is not valid.'
  return new Problem(400, first?.code ?? 'ERR_REQUEST', detail, faults)
}
