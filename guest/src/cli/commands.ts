import { readFile } from 'node:fs/promises'
import { createAttestationContext } from '../attest/context.ts'
import { openDevice, type SnpDevice } from '../device/index.ts'
import { InvalidArgumentError } from '../http/endpoint.ts'
import { createVaultCredential } from '../identity/vault-token.ts'
import { attest } from '../maa/attest.ts'
import { verifyAttestationToken } from '../maa/verify.ts'
import { type ReleasedKey, releaseKey } from '../skr/release.ts'
import { createWrappingKey } from '../skr/wrapping-key.ts'
import { azCacheSource } from '../thim/az-cache.ts'
import { hostTableSource } from '../thim/host-table.ts'
import { kdsSource } from '../thim/kds.ts'
import { type CertificateSource, firstOf } from '../thim/source.ts'
import { thimSource } from '../thim/thim.ts'
import { decodeReport, encodeHex, sha256 } from '../wire/index.ts'
import type { AttestFlags, ExecFlags, KeyFlags, ReleaseFlags, ReportFlags } from './flags.ts'
import { runWithKey, writeSecretFile, writeToDescriptor } from './hand-over.ts'
import { formatKey, isText } from './key-format.ts'
import { honourEnvironment } from './process.ts'

export async function runReport(flags: ReportFlags): Promise<void> {
  const reportData = new Uint8Array(64)
  if (flags.runtimeData !== undefined) reportData.set(await sha256(await readFile(flags.runtimeData)))
  const device = await openDevice()
  try {
    const report = await device.getReport(reportData, readVmpl(flags.vmpl))
    print(flags.decode ? readable(decodeReport(report)) : encodeHex(report))
  } finally {
    device.close()
  }
}

export async function runAttest(flags: AttestFlags): Promise<void> {
  await honourEnvironment(process.env)
  const runtimeData = flags.runtimeData === undefined ? Buffer.from('{}') : await readFile(flags.runtimeData)
  await withContext(flags.certificates, async (context) => {
    const token = await attest(context, { maaEndpoint: flags.maa, runtimeData })
    // What a guest says of itself is shown as it is: whom to believe is the relying party's question.
    const claims = await verifyAttestationToken(token, { authority: flags.maa, runtimeData, allowDebuggable: true })
    if (flags.toFile !== undefined) writeSecretFile(flags.toFile, `${token}\n`)
    print(readable(claims))
  })
}

export async function runRelease(flags: ReleaseFlags): Promise<void> {
  if ((flags.toFile === undefined) === (flags.toFd === undefined))
    throw new InvalidArgumentError('--to-file or --to-fd', 'must be given, one of them')
  const released = await release(flags)
  const key = formatKey(released, keyFormatOf(flags))
  try {
    if (flags.toFd !== undefined) writeToDescriptor(flags.toFd, key)
    else if (flags.toFile !== undefined) writeSecretFile(flags.toFile, key)
  } finally {
    key.fill(0)
  }
  // Beside a key on standard output nothing else is written there.
  const words = `${released.kid} (${released.jwk.kty}) is in ${flags.toFile ?? `descriptor ${flags.toFd}`}`
  if (flags.toFd === undefined) print(words)
}

/** @returns the program's exit code */
export async function runExec(command: readonly string[], flags: ExecFlags): Promise<number> {
  const { env, file, pathEnv } = flags
  const format = keyFormatOf(flags)
  if (env !== undefined && file !== undefined)
    throw new InvalidArgumentError('--env or --file', 'may be given, not both')
  if (env !== undefined && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(env))
    throw new InvalidArgumentError('--env', `must be the name of a variable, not "${env}"`)
  if (env !== undefined && !isText(format.format, format.derivation))
    throw new InvalidArgumentError('--format', 'of a key in a variable must be a text: jwk, pem, base64 or hex')
  const key = formatKey(await release(flags), format)
  const handOver = {
    ...(env !== undefined && { env }),
    ...(file !== undefined && { file }),
    ...(pathEnv && { pathEnv }),
  }
  return await runWithKey(command, key, handOver, {
    env: process.env,
    explain: (message) => process.stderr.write(`skerry-guest: ${message}\n`),
  })
}

async function release(flags: KeyFlags): Promise<ReleasedKey> {
  await honourEnvironment(process.env)
  const credential = createVaultCredential(flags.clientId === undefined ? {} : { clientId: flags.clientId })
  return await withContext(flags.certificates, (context) =>
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

function keyFormatOf({ format, deriveSalt, deriveLabel }: KeyFlags) {
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
  certificates: string | undefined,
  work: (context: Awaited<ReturnType<typeof createAttestationContext>>) => Promise<T>,
): Promise<T> {
  const device = await openDevice()
  try {
    const certificateSource = readSources(certificates, device)
    return await work(await createAttestationContext({ device, ...(certificateSource && { certificateSource }) }))
  } finally {
    device.close()
  }
}

const SOURCES: Readonly<Record<string, (device: SnpDevice) => CertificateSource>> = {
  thim: () => thimSource(),
  azcache: () => azCacheSource(),
  kds: () => kdsSource(),
  host: (device) => hostTableSource(async () => device),
}

function readSources(text: string | undefined, device: SnpDevice): CertificateSource | undefined {
  const sources = text?.split(',').map((name) => {
    const make = Object.hasOwn(SOURCES, name) ? SOURCES[name] : undefined
    if (make === undefined)
      throw new InvalidArgumentError(
        '--certificates',
        `must be some of ${Object.keys(SOURCES).join(', ')}, not "${name}"`,
      )
    return make(device)
  })
  return sources && firstOf(sources)
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
