import { readFile, writeFile } from 'node:fs/promises'
import { createAttestationContext } from '../attest/context.ts'
import { openDevice } from '../device/index.ts'
import { createVaultCredential } from '../identity/vault-token.ts'
import { attest } from '../maa/attest.ts'
import { verifyAttestationToken } from '../maa/verify.ts'
import { releaseKey } from '../skr/release.ts'
import { decodeReport, encodeHex, sha256 } from '../wire/index.ts'
import { honourEnvironment } from './process.ts'

export async function runReport(flags: { readonly runtimeData?: string; readonly decode?: true }): Promise<void> {
  const reportData = new Uint8Array(64)
  if (flags.runtimeData !== undefined) reportData.set(await sha256(await readFile(flags.runtimeData)))
  const device = await openDevice()
  try {
    const report = await device.getReport(reportData)
    print(flags.decode ? readable(decodeReport(report)) : encodeHex(report))
  } finally {
    device.close()
  }
}

export async function runAttest(flags: {
  readonly maa: string
  readonly runtimeData?: string
  readonly toFile?: string
}): Promise<void> {
  await honourEnvironment(process.env)
  const runtimeData = flags.runtimeData === undefined ? Buffer.from('{}') : await readFile(flags.runtimeData)
  await withContext(async (context) => {
    const token = await attest(context, { maaEndpoint: flags.maa, runtimeData })
    const claims = await verifyAttestationToken(token, { authority: flags.maa, allowDebuggable: true })
    if (flags.toFile !== undefined) await writeSecret(flags.toFile, token)
    print(readable(claims))
  })
}

export async function runRelease(flags: {
  readonly maa: string
  readonly akv: string
  readonly kid: string
  readonly toFile: string
  readonly clientId?: string
}): Promise<void> {
  await honourEnvironment(process.env)
  const credential = createVaultCredential(flags.clientId === undefined ? {} : { clientId: flags.clientId })
  await withContext(async (context) => {
    const { jwk, kid } = await releaseKey(context, {
      maaEndpoint: flags.maa,
      akvEndpoint: flags.akv,
      kid: flags.kid,
      credential,
    })
    await writeSecret(flags.toFile, JSON.stringify(jwk))
    print(`${kid} (${jwk.kty}) is in ${flags.toFile}`)
  })
}

async function withContext(
  work: (context: Awaited<ReturnType<typeof createAttestationContext>>) => Promise<void>,
): Promise<void> {
  const device = await openDevice()
  try {
    await work(await createAttestationContext({ device }))
  } finally {
    device.close()
  }
}

/** Never over something that is there: a file of somebody else's mode would keep it. */
async function writeSecret(path: string, text: string): Promise<void> {
  await writeFile(path, `${text}\n`, { mode: 0o600, flag: 'wx' })
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
