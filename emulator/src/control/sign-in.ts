import { Hono } from 'hono'
import * as v from 'valibot'
import type { EmulatorContext } from '../core/index.ts'
import { approveDeviceCode, DirectoryError, declineDeviceCode, findDeviceCode, listUsers } from '../entra/index.ts'

/** `POST /.skerry/device-codes/{userCode}`: the user who signs in, by name or object id; null refuses. */
const Decision = v.strictObject({ user: v.nullable(v.pipe(v.string(), v.nonEmpty('user is empty'))) })

/** Control routes by which a program signs a user in at a device, in place of the page. */
export function signInRoutes(context: EmulatorContext): Hono {
  return new Hono()
    .get('/.skerry/users', (c) =>
      c.json(
        listUsers(context).map(({ objectId, userPrincipalName, displayName }) => ({
          objectId,
          userPrincipalName,
          displayName,
        })),
      ),
    )
    .get('/.skerry/device-codes/:userCode', (c) => c.json(findDeviceCode(context, c.req.param('userCode'))))
    .post('/.skerry/device-codes/:userCode', async (c) => {
      const parsed = v.safeParse(Decision, await c.req.json().catch(() => undefined))
      if (!parsed.success) return c.json({ error: { code: 'BadRequest', message: v.summarize(parsed.issues) } }, 400)
      const { user } = parsed.output
      const userCode = c.req.param('userCode')
      return c.json(user === null ? declineDeviceCode(context, userCode) : approveDeviceCode(context, userCode, user))
    })
    .onError((error, c) => {
      if (!(error instanceof DirectoryError)) throw error
      return c.json({ error: { code: 'NotFound', message: error.message } }, 404)
    })
}
