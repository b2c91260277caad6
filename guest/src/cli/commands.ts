import { readFileSync } from 'node:fs'
import { createAttestationContext } from '../attest/context.ts'
import { openDevice, type SnpDevice } from '../device/index.ts'
import { InvalidArgumentError, parseEndpoint } from '../http/endpoint.ts'
import { createVaultCredential } from '../identity/vault-token.ts'
import { attest } from '../maa/attest.ts'
import { verifyAttestationToken } from '../maa/verify.ts'
import { type ReleasedKey, releaseKey, requireKid } from '../skr/release.ts'
import { createWrappingKey } from '../skr/wrapping-key.ts'
import { azCacheSource } from '../thim/az-cache.ts'
import { hostTableSource } from '../thim/host-table.ts'
import { kdsSource } from '../thim/kds.ts'
import { type CertificateSource, firstOf } from '../thim/source.ts'
import { thimSource } from '../thim/thim.ts'
import { decodeReport, encodeHex, sha256 } from '../wire/index.ts'
import { descriptor, reasonOf, secretFile } from './destination.ts'
import type { AttestFlags, ExecFlags, KeyFlags, ReleaseFlags, ReportFlags } from './flags.ts'
import { prepareHandOver, requireVariable } from './hand-over.ts'
import { formatKey, isText, type KeyFormatOptions, readKeyForm } from './key-format.ts'
import { honourEnvironment } from './process.ts'

export async function runReport(flags: ReportFlags): Promise<void> {
  const vmpl = readVmpl(flags.vmpl)
  const reportData = new Uint8Array(64)
  if (flags.runtimeData !== undefined) reportData.set(await sha256(readRuntimeData(flags.runtimeData)))
  const device = await openDevice()
  try {
    const report = await device.getReport(reportData, vmpl)
    print(flags.decode ? readable(decodeReport(report, { newer: true })) : encodeHex(report))
  } finally {
    device.close()
  }
}

export async function runAttest(flags: AttestFlags): Promise<void> {
  const { nonce } = flags
  parseEndpoint('--maa', flags.maa)
  const runtimeData = flags.runtimeData === undefined ? Buffer.from('{}') : readRuntimeJson(flags.runtimeData)
  const file = flags.toFile === undefined ? undefined : secretFile('--to-file', flags.toFile)
  const sources = readSources(flags.certificates)
  await honourEnvironment(process.env)
  await withContext(sources, async (context) => {
    const bound = nonce === undefined ? {} : { nonce }
    const token = await attest(context, { maaEndpoint: flags.maa, runtimeData, ...bound })
    // What a guest says of itself is shown as it is: whom to believe is the relying party's question.
    const trust = { authority: flags.maa, runtimeData, allowDebuggable: true, ...bound }
    const claims = await verifyAttestationToken(token, trust)
    file?.write(Buffer.from(`${token}\n`))
    print(readable(claims))
  })
}

/** @returns the exit code: the program's, where it was to get the key */
export async function runRelease(app: readonly string[], flags: ReleaseFlags): Promise<number> {
  const { toFile, toFd, toEnv } = flags
  if ([toFile, toFd, toEnv].filter((way) => way !== undefined).length !== 1)
    throw new InvalidArgumentError('--to-file, --to-fd or --to-env', 'must be given, one of them')
  if (toEnv !== undefined) return await runExec(app, { ...flags, env: requireVariable('--to-env', toEnv) })
  if (app.length > 0) throw new InvalidArgumentError(`a program (${app[0]})`, 'goes with --to-env, or with exec')
  const form = readKeyForm(formOf(flags))
  const to = toFd === undefined ? secretFile('--to-file', toFile ?? '') : descriptor('--to-fd', toFd)
  const released = await release(flags)
  const key = formatKey(released, form)
  try {
    to.write(key)
  } finally {
    key.fill(0)
  }
  // Beside a key on standard output nothing else is written there.
  if (toFd === undefined) print(`${released.kid} (${released.jwk.kty}) is in ${to.words}`)
  return 0
}

/** @returns the program's exit code */
export async function runExec(command: readonly string[], flags: ExecFlags): Promise<number> {
  const { env, file, link, pathEnv } = flags
  if (command.length === 0) throw new InvalidArgumentError('a program', 'must be given, after --')
  const form = readKeyForm(formOf(flags))
  const run = prepareHandOver({
    ...(env !== undefined && { env }),
    ...(file !== undefined && { file }),
    ...(link !== undefined && { link }),
    ...(pathEnv !== undefined && { pathEnv }),
  })
  if (env !== undefined && !isText(form))
    throw new InvalidArgumentError('--format', 'of a key in a variable must be a text: jwk, pem, base64 or hex')
  const key = formatKey(await release(flags), form)
  return await run(command, key, {
    env: process.env,
    explain: (message) => process.stderr.write(`skerry-guest: ${message}\n`),
  })
}

async function release(flags: KeyFlags): Promise<ReleasedKey> {
  parseEndpoint('--maa', flags.maa)
  parseEndpoint('--akv', flags.akv)
  requireKid('--kid', flags.kid)
  const sources = readSources(flags.certificates)
  await honourEnvironment(process.env)
  const credential = createVaultCredential(flags.clientId === undefined ? {} : { clientId: flags.clientId })
  return await withContext(sources, (context) =>
    releaseKey(context, {
      maaEndpoint: flags.maa,
      akvEndpoint: flags.akv,
      kid: flags.kid,
      credential,
      // One is enough, and no others keep this process busy.
      wrappingKeys: { take: createWrappingKey },
    }),
  )
}

function formOf({ format, deriveSalt, deriveLabel }: KeyFlags): KeyFormatOptions {
  const derivation = {
    ...(deriveSalt !== undefined && { salt: deriveSalt }),
    ...(deriveLabel !== undefined && { label: deriveLabel }),
  }
  return {
    ...(format !== undefined && { format }),
    ...((deriveSalt !== undefined || deriveLabel !== undefined) && { derivation }),
  }
}

async function withContext<T>(
  sources: readonly SourceMaker[],
  work: (context: Awaited<ReturnType<typeof createAttestationContext>>) => Promise<T>,
): Promise<T> {
  const device = await openDevice()
  try {
    const certificateSource = sources.length > 0 && firstOf(sources.map((make) => make(device)))
    return await work(await createAttestationContext({ device, ...(certificateSource && { certificateSource }) }))
  } finally {
    device.close()
  }
}

type SourceMaker = (device: SnpDevice) => CertificateSource

const SOURCES: Readonly<Record<string, SourceMaker>> = {
  thim: () => thimSource(),
  azcache: () => azCacheSource(),
  kds: () => kdsSource(),
  host: (device) => hostTableSource(async () => device),
}

function readSources(text: string | undefined): SourceMaker[] {
  const names = text === undefined ? [] : text.split(',')
  return names.map((name) => {
    const make = Object.hasOwn(SOURCES, name) ? SOURCES[name] : undefined
    if (make !== undefined) return make
    const known = Object.keys(SOURCES).join(', ')
    throw new InvalidArgumentError(
      '--certificates',
      `must be some of ${known}, with commas between them, not "${name}"`,
    )
  })
}

function readRuntimeData(file: string): Buffer {
  try {
    return readFileSync(file)
  } catch (error) {
    throw new InvalidArgumentError('--runtime-data', `${file} cannot be read: ${reasonOf(error)}`)
  }
}

function readRuntimeJson(file: string): Buffer {
  const bytes = readRuntimeData(file)
  try {
    JSON.parse(bytes.toString('utf8'))
    return bytes
  } catch {
    throw new InvalidArgumentError('--runtime-data', `${file} is not JSON, which is what the token can carry`)
  }
}

function readVmpl(text: string | undefined): { vmpl?: number } {
  if (text === undefined) return {}
  if (!/^[0-3]$/.test(text)) throw new InvalidArgumentError('--vmpl', `must be 0, 1, 2 or 3, not "${text}"`)
  return { vmpl: Number(text) }
}

/** JSON with bytes in hex and 64-bit numbers as `0x…`. */
function readable(value: object): string {
  const show = (_key: string, item: unknown) =>
    item instanceof Uint8Array ? encodeHex(item) : typeof item === 'bigint' ? `0x${item.toString(16)}` : item
  return JSON.stringify(value, show, 2)
}

function print(text: string): void {
  process.stdout.write(`${text}\n`)
}
