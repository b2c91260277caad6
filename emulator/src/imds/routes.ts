import { type Context, Hono } from 'hono'
import type { Caller, EmulatorContext } from '../core/index.ts'
import type { VirtualProcessor } from '../psp/types.ts'
import { instanceMetadata } from './instance.ts'
import { amdCertification, THIM_PATH } from './thim.ts'
import { identityToken } from './token-routes.ts'

type Env = { Bindings: { caller: Caller } }

/** The link-local metadata service: identity tokens, the processor's certificates (THIM), the instance itself. */
export function imdsRoutes(ctx: EmulatorContext, options: { readonly psp: VirtualProcessor }): Hono<Env> {
  const app = new Hono<Env>()
  app.use(async (c, next) => {
    await next()
    c.header('Content-Type', 'application/json; charset=utf-8')
    c.header('Server', 'IMDS/150.870.65.1854')
  })
  app.notFound((c) => c.json({ error: 'Not found' }, 404))

  app.get('/metadata/identity/oauth2/token', (c) => identityToken(ctx, c, c.env.caller))

  app.all(THIM_PATH, (c) => {
    const { product } = c.env.caller
    return amdCertification(ctx, c, product === undefined ? options.psp : options.psp.of(product))
  })

  app.get('/metadata/instance', (c) => {
    if (!hasMetadataHeader(c)) return missingHeader(c)
    const versions = ['2023-07-01', '2021-12-13', '2021-02-01']
    if (!c.req.query('api-version')) {
      const error =
        'Bad request. api-version was not specified in the request. For more information refer to aka.ms/azureimds'
      return c.json({ error, 'newest-versions': versions }, 400)
    }
    return c.json(instanceMetadata(ctx, c.env.caller))
  })
  return app
}

function hasMetadataHeader(c: Context): boolean {
  return c.req.header('metadata')?.toLowerCase() === 'true'
}

function missingHeader(c: Context): Response {
  return c.json({ error: 'Bad request. Required metadata header not specified' }, 400)
}
