import { decodeTcb, derToPem, encodeTcb, equalBytes, type TcbVersion, tcbFromHex, WireError } from '@skerry/guest/wire'
import { type Context, Hono } from 'hono'
import type { EmulatorContext } from '../core/index.ts'
import type { VirtualProcessor } from '../psp/types.ts'

/** The products whose certificates AMD distributes; this emulator's processor is one of them. */
const PRODUCTS: ReadonlySet<string> = new Set(['Milan', 'Genoa', 'Turin'])

/** The TEE of Azure's certificate cache that this emulator serves. */
const CACHE_TEE = 'SevSnpVM'

interface Options {
  readonly psp: VirtualProcessor
}

/** AMD's key distribution service (57230, "KDS interface"): `https://kdsintf.amd.com`. */
export function keyDistributionRoutes(ctx: EmulatorContext, { psp }: Options): Hono {
  const app = new Hono()
  app.notFound((c) => notFound(ctx, c))

  app.get('/vcek/v1/:product/cert_chain', async (c) => {
    const refused = refuseProduct(c, psp)
    return refused ?? c.body(await psp.certificateChainPem(), 200, { 'Content-Type': 'application/x-pem-file' })
  })
  app.get('/vcek/v1/:product/crl', async (c) => {
    const refused = refuseProduct(c, psp)
    return refused ?? binary(c, await psp.crl())
  })
  app.get('/vcek/v1/:product/:hwid', async (c) => {
    const { product, hwid } = c.req.param()
    // Another product's chips exist, but none of them is here.
    if (product !== psp.product || !/^[0-9a-f]{128}$/.test(hwid)) return notFound(ctx, c)
    const tcb = readSecurityLevels(c.req.query())
    if (typeof tcb === 'string') return c.text(`${tcb}: a decimal number from 0 to 255 is required`, 400)
    const vcek = await psp.vcek(hwid, tcb)
    return vcek === undefined ? notFound(ctx, c) : binary(c, vcek)
  })
  app.get('/vlek/v1/*', (c) => notCovered(c, 'VLEK certificates'))
  return app
}

/** Azure's cache of the same certificates: `https://global.acccache.azure.net`. */
export function azureCacheRoutes(ctx: EmulatorContext, { psp }: Options): Hono {
  const app = new Hono()
  app.notFound((c) => notFound(ctx, c))
  app.get('/:tee/certificates/:chipId/:tcb', async (c) => {
    const { tee, chipId } = c.req.param()
    const tcb = readCacheTcb(c.req.param('tcb'))
    if (tee !== CACHE_TEE || tcb === undefined) return notFound(ctx, c)
    const vcek = await psp.vcek(chipId.toLowerCase(), tcb)
    if (vcek === undefined) return notFound(ctx, c)
    const pem = derToPem(vcek) + (await psp.certificateChainPem())
    return c.body(pem, 200, { 'Content-Type': 'application/x-pem-file' })
  })
  return app
}

/** `blSPL`, `teeSPL`, `snpSPL` and `ucodeSPL` by name, in any order, decimal, zero-padded or not; or the name that is wrong. */
export function readSecurityLevels(query: Readonly<Record<string, string>>): TcbVersion | string {
  const levels: number[] = []
  for (const name of ['blSPL', 'teeSPL', 'snpSPL', 'ucodeSPL']) {
    const level = /^[0-9]{1,3}$/.test(query[name] ?? '') ? Number(query[name]) : 256
    if (level > 255) return name
    levels.push(level)
  }
  const [bootLoader, tee, snp, microcode] = levels as [number, number, number, number]
  return { bootLoader, tee, snp, microcode }
}

/** The TCB of a cache path: the u64 in hex without leading zeros. Undefined when it is no TCB of this product. */
function readCacheTcb(hex: string): TcbVersion | undefined {
  try {
    const bytes = tcbFromHex(hex)
    const tcb = decodeTcb(bytes, 'Milan')
    return equalBytes(encodeTcb(tcb, 'Milan'), bytes) ? tcb : undefined
  } catch (error) {
    if (error instanceof WireError) return undefined
    throw error
  }
}

function refuseProduct(c: Context, psp: VirtualProcessor): Response | undefined {
  const product = c.req.param('product') ?? ''
  if (product === psp.product) return undefined
  return PRODUCTS.has(product) ? notCovered(c, `the product ${product}`) : c.body(null, 404)
}

function binary(c: Context, der: Uint8Array): Response {
  return c.body(Uint8Array.from(der), 200, { 'Content-Type': 'application/octet-stream' })
}

/** Both services answer an empty 404; the journal has what was asked for. */
function notFound(ctx: EmulatorContext, c: Context): Response {
  const { pathname, search, hostname } = new URL(c.req.url)
  ctx.journal.write({
    service: 'kds',
    operation: 'certificate',
    outcome: 'failed',
    subject: `${hostname}${pathname}${search}`,
    summary: 'no such certificate: the product, the chip or the TCB is not of this machine',
    answer: { status: 404 },
  })
  return c.body(null, 404)
}

function notCovered(c: Context, what: string): Response {
  return c.json({ error: { code: 'SkerryNotCovered', message: `Skerry does not cover ${what} yet.` } }, 501)
}
