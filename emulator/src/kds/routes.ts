import { createHash, timingSafeEqual } from 'node:crypto'
import { derToPem, type SnpProduct } from '@skerry/guest/wire'
import { type Context, Hono } from 'hono'
import type { EmulatorContext } from '../core/index.ts'
import { PRODUCT_FACTS, SNP_PRODUCTS } from '../psp/products.ts'
import type { VirtualProcessor } from '../psp/types.ts'
import { binary, NO_SUCH_CERTIFICATE, pemText, plannedFailure, refuse } from './answers.ts'
import { readCacheTcb, readSecurityLevels } from './levels.ts'

/** The TEE of Azure's certificate cache that this emulator serves. */
const CACHE_TEE = 'SevSnpVM'

interface Options {
  readonly psp: VirtualProcessor
}

/**
 * AMD's key distribution service (57230, "KDS interface"): `https://kdsintf.amd.com`. It has the authorities of every
 * product under their exact names; of chips, those of this machine.
 */
export function keyDistributionRoutes(ctx: EmulatorContext, { psp }: Options): Hono {
  const app = new Hono()
  const notFound = (c: Context) => refuse(ctx, c, 404, NO_SUCH_CERTIFICATE)
  const processorOf = (c: Context) => {
    const product = SNP_PRODUCTS.find((one) => one === c.req.param('product'))
    return product === undefined ? undefined : psp.of(product)
  }
  app.notFound(notFound)
  app.use(async (c, next) => plannedFailure(ctx, c, psp, 'kds') ?? (await next()))

  for (const kind of ['vcek', 'vlek'] as const) {
    app.get(`/${kind}/v1/:product/cert_chain`, async (c) => {
      const host = processorOf(c)
      return host === undefined ? notFound(c) : pemText(c, await host.certificateChainPem(kind))
    })
    app.get(`/${kind}/v1/:product/crl`, async (c) => {
      const host = processorOf(c)
      return host === undefined ? notFound(c) : binary(c, await host.crl())
    })
  }

  app.get('/vcek/v1/:product/:hwid', async (c) => {
    const host = processorOf(c)
    const { hwid } = c.req.param()
    if (host === undefined || !isHwid(hwid, host.product)) return notFound(c)
    const levels = readSecurityLevels(c.req.query(), host.product)
    if ('wrong' in levels) return wrongLevel(ctx, c, levels.wrong)
    const vcek = await host.vcek(hwid, levels.tcb)
    return vcek === undefined ? notFound(c) : binary(c, vcek)
  })
  app.get('/vlek/v1/:product/cert', async (c) => {
    const host = processorOf(c)
    if (host === undefined) return notFound(c)
    // Cloud providers alone get VLEKs. How they show who they are is not published.
    if (!showsSecret(c, psp.settings.cspSecret)) return refuse(ctx, c, 403, 'a VLEK is for the cloud provider alone')
    const levels = readSecurityLevels(c.req.query(), host.product)
    if ('wrong' in levels) return wrongLevel(ctx, c, levels.wrong)
    const vlek = await host.vlek(levels.tcb)
    return vlek === undefined ? notFound(c) : binary(c, vlek)
  })
  return app
}

/** Azure's cache of the same certificates: `https://global.acccache.azure.net`. */
export function azureCacheRoutes(ctx: EmulatorContext, { psp }: Options): Hono {
  const app = new Hono()
  const notFound = (c: Context) => refuse(ctx, c, 404, NO_SUCH_CERTIFICATE)
  app.notFound(notFound)
  app.use(async (c, next) => plannedFailure(ctx, c, psp, 'certificateCache') ?? (await next()))
  app.get('/:tee/certificates/:chipId/:tcb', async (c) => {
    const { tee } = c.req.param()
    const chipId = c.req.param('chipId').toLowerCase()
    if (tee !== CACHE_TEE || !/^[0-9a-f]{128}$/.test(chipId)) return notFound(c)
    // The path does not say which product: the chip id does.
    for (const host of psp.siblings()) {
      const tcb = readCacheTcb(c.req.param('tcb'), host.product)
      const vcek = tcb && (await host.vcek(chipId, tcb))
      if (vcek !== undefined) return pemText(c, derToPem(vcek) + (await host.certificateChainPem()))
    }
    return notFound(c)
  })
  return app
}

/** In lower-case hex: 64 bytes, on Turin 8. Zeros are what a host shows that hides its chip. */
function isHwid(text: string, product: SnpProduct): boolean {
  return text.length === 2 * PRODUCT_FACTS[product].hwidSize && /^[0-9a-f]+$/.test(text) && !/^0+$/.test(text)
}

function wrongLevel(ctx: EmulatorContext, c: Context, name: string): Response {
  return refuse(ctx, c, 400, `${name}: a decimal number from 0 to 255 is required`)
}

function showsSecret(c: Context, secret: string | undefined): boolean {
  const shown = /^Bearer (.+)$/.exec(c.req.header('authorization') ?? '')?.[1]
  if (secret === undefined || shown === undefined) return false
  const digest = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(shown), digest(secret))
}
