import { type Context, Hono } from 'hono'
import * as v from 'valibot'
import type { EmulatorContext } from '../core/index.ts'
import { type Principal, TokenError, type TokenVerifier } from '../entra/index.ts'
import { GraphError, graphErrors } from './errors.ts'
import { filterOf } from './filter.ts'
import { applicationsOf, type DirectoryObject, servicePrincipalsOf, usersOf } from './objects.ts'

export const GRAPH = 'https://graph.microsoft.com'

type Env = { Variables: { caller: Principal } }

/** `POST /directoryObjects/getByIds`. */
const Ids = v.object({ ids: v.array(v.string()), types: v.optional(v.nullable(v.array(v.string()))) })

/** What command-line tools ask of Microsoft Graph v1.0 to turn names into object ids. Nothing is written through it. */
export function graphRoutes(ctx: EmulatorContext, tokens: TokenVerifier): Hono<Env> {
  const app = new Hono<Env>()
  app.use('*', async (c, next) => {
    const caller = await authenticate(tokens, c.req.raw)
    // Users may read the directory; of applications only the administrator, as one that was given Directory.Read.All.
    if (caller.kind !== 'user' && caller.objectId !== ctx.seed.admin.objectId) throw graphErrors.denied()
    c.set('caller', caller)
    await next()
  })

  app.get('/v1.0/me', (c) => {
    const { objectId, kind } = c.get('caller')
    if (kind !== 'user') throw graphErrors.notDelegated()
    return one(c, 'users', byId(usersOf(ctx), objectId))
  })
  app.get('/v1.0/users', (c) => list(c, 'users', usersOf(ctx)))
  app.get('/v1.0/users/:id', (c) => one(c, 'users', byId(usersOf(ctx), c.req.param('id'), 'userPrincipalName')))
  app.get('/v1.0/servicePrincipals', (c) => list(c, 'servicePrincipals', servicePrincipalsOf(ctx)))
  app.get('/v1.0/servicePrincipals/:id', (c) =>
    one(c, 'servicePrincipals', byId(servicePrincipalsOf(ctx), c.req.param('id'))),
  )
  app.get('/v1.0/applications', (c) => list(c, 'applications', applicationsOf(ctx)))
  app.get('/v1.0/applications/:id', (c) => one(c, 'applications', byId(applicationsOf(ctx), c.req.param('id'))))
  app.get('/v1.0/groups', (c) => list(c, 'groups', []))
  app.post('/v1.0/directoryObjects/getByIds', async (c) => {
    const parsed = v.safeParse(Ids, await c.req.json().catch(() => undefined))
    if (!parsed.success) throw graphErrors.badRequest(v.summarize(parsed.issues))
    const wanted = new Set(parsed.output.ids.map((id) => id.toLowerCase()))
    const value = [...usersOf(ctx), ...servicePrincipalsOf(ctx)].filter(({ id }) => wanted.has(id.toLowerCase()))
    return c.json({ '@odata.context': `${GRAPH}/v1.0/$metadata#directoryObjects`, value })
  })

  app.notFound((c) => errorResponse(ctx, graphErrors.notCovered(`${c.req.method} ${new URL(c.req.url).pathname}`)))
  app.onError((error, c) => {
    if (!(error instanceof GraphError)) throw error
    if (error.status === 403) {
      const { pathname } = new URL(c.req.url)
      const summary = `${pathname}: ${error.message}`
      const answer = { status: error.status, code: error.code }
      const action = 'Sign in as a user or as the administrator: other applications may not read the directory.'
      ctx.journal.write({ service: 'graph', operation: 'read', outcome: 'denied', summary, answer, action })
    }
    return errorResponse(ctx, error)
  })
  return app
}

async function authenticate(tokens: TokenVerifier, request: Request): Promise<Principal> {
  try {
    return await tokens.verify(request, [GRAPH])
  } catch (error) {
    if (!(error instanceof TokenError)) throw error
    throw error.code === 'missing' ? graphErrors.missingToken() : graphErrors.invalidToken(error.message)
  }
}

/** By id, or by another field that may stand in its place in a path. @throws GraphError 404 */
function byId(objects: readonly DirectoryObject[], id: string, other = 'id'): DirectoryObject {
  const wanted = id.toLowerCase()
  const found = objects.find((object) =>
    [object.id, object[other]].some((name) => String(name).toLowerCase() === wanted),
  )
  if (found === undefined) throw graphErrors.notFound(id)
  return found
}

function one(c: Context, set: string, object: DirectoryObject): Response {
  const { '@odata.type': _type, ...members } = object
  return c.json({ '@odata.context': `${GRAPH}/v1.0/$metadata#${set}/$entity`, ...members })
}

/** @throws GraphError 501 for a filter that is not covered */
function list(c: Context, set: string, objects: readonly DirectoryObject[]): Response {
  const matches = filterOf(c.req.query('$filter'))
  if (matches === undefined) throw graphErrors.notCovered(`the $filter ${c.req.query('$filter')}`)
  const value = objects.filter(matches).map(({ '@odata.type': _type, ...members }) => members)
  return c.json({ '@odata.context': `${GRAPH}/v1.0/$metadata#${set}`, value })
}

function errorResponse(ctx: EmulatorContext, { status, code, message }: GraphError): Response {
  const requestId = ctx.random.uuid()
  const date = new Date(ctx.clock.now()).toISOString().slice(0, 19)
  const innerError = { date, 'request-id': requestId, 'client-request-id': requestId }
  return Response.json({ error: { code, message, innerError } }, { status, headers: { 'request-id': requestId } })
}
