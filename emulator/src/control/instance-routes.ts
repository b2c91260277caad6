import { Hono } from 'hono'
import * as v from 'valibot'
import { DURATION_FORMS, type EmulatorContext, parseDuration } from '../core/index.ts'
import { approveDeviceCode, declineDeviceCode, listUsers } from '../entra/index.ts'
import type { StateDocument } from '../state/index.ts'

/*
 * Control routes about the instance as a whole: its clock and its state.
 */

export interface InstanceControl {
  /** By how many milliseconds the clock is ahead of the machine's. */
  offsetMs(): number
  advance(ms: number, options: { readonly force?: boolean }): Promise<void>
  exportState(): Promise<StateDocument>
  importState(state: StateDocument): Promise<void>
}

/** `POST /.skerry/clock`. */
const AdvanceRequest = v.strictObject({
  advance: v.pipe(v.string(`advance is not ${DURATION_FORMS}`), v.nonEmpty(`advance is not ${DURATION_FORMS}`)),
  /** Although programs of others run on the present time. */
  force: v.optional(v.boolean('force is neither true nor false')),
})

/** `PUT /.skerry/state`: a file of this machine, since a state may be larger than a request. */
const ImportRequest = v.strictObject({ file: v.pipe(v.string('file is not a path'), v.nonEmpty('file is not a path')) })

/** `POST /.skerry/device-codes`: what a person says to a device that shows this code. */
const DeviceRequest = v.strictObject({
  code: v.pipe(v.string('code is not a text'), v.nonEmpty('code is empty')),
  /** Name or object id of who signs in; absent: the only user there is. */
  user: v.optional(v.string('user is not a text')),
  decline: v.optional(v.boolean('decline is neither true nor false')),
})

export type DeviceRequest = v.InferOutput<typeof DeviceRequest>

/** Its answer: which application asked for what, and who signed in. */
export interface DeviceAnswer {
  readonly clientName: string
  readonly scope: string
  readonly user?: string
}

/** What `/.skerry/clock` answers. */
export interface ClockAnswer {
  /** ISO 8601. */
  readonly time: string
  readonly offsetMs: number
}

/** What is answered with 409, and with 400. The code says which. */
const CONFLICTS: ReadonlySet<unknown> = new Set(['ERR_CLOCK_IN_USE', 'ERR_STATE_BUSY'])
const MISTAKES: ReadonlySet<unknown> = new Set(['ERR_STATE', 'ERR_DIRECTORY', 'ERR_CLOCK_RANGE'])

export function instanceRoutes(context: EmulatorContext, instance: InstanceControl): Hono {
  const { clock } = context
  const clockAnswer = (): ClockAnswer => ({
    time: new Date(clock.now()).toISOString(),
    offsetMs: Math.round(instance.offsetMs()),
  })
  const app = new Hono()
    .get('/clock', (c) => c.json(clockAnswer()))
    .post('/clock', async (c) => {
      const { advance, force } = read(AdvanceRequest, await json(c.req))
      const ms = parseDuration(advance, clock.now())
      if (ms === undefined) throw new RequestError(`advance is not ${DURATION_FORMS}`)
      await instance.advance(ms, { ...(force !== undefined && { force }) })
      return c.json(clockAnswer())
    })
    .get('/state', async (c) => c.json(await instance.exportState()))
    .put('/state', async (c) => {
      const { file } = read(ImportRequest, await json(c.req))
      const { readStateFile } = await import('../state/parse.ts')
      await instance.importState(given(() => readStateFile(file)))
      return c.body(null, 204)
    })
    .post('/device-codes', async (c) => c.json(answerDevice(context, read(DeviceRequest, await json(c.req)))))
  app.onError((error, c) => {
    const { code } = error as { code?: unknown }
    const status =
      error instanceof RequestError || error instanceof UnreadableError || MISTAKES.has(code)
        ? 400
        : CONFLICTS.has(code)
          ? 409
          : 500
    return c.json(
      { error: { code: typeof code === 'string' ? code : 'InternalServerError', message: error.message } },
      status,
    )
  })
  return app
}

function answerDevice(context: EmulatorContext, { code, user, decline }: DeviceRequest): DeviceAnswer {
  if (decline === true) {
    const { clientName, scope } = declineDeviceCode(context, code)
    return { clientName, scope }
  }
  const name = user ?? onlyUser(context)
  const { clientName, scope } = approveDeviceCode(context, code, name)
  return { clientName, scope, user: name }
}

function onlyUser(context: EmulatorContext): string {
  const users = listUsers(context)
  if (users.length === 0) throw new RequestError('there is no user who could sign in: give one in a seed file (users)')
  if (users.length === 1) return users[0]!.userPrincipalName
  const names = users.map(({ userPrincipalName }) => userPrincipalName).join(', ')
  throw new RequestError(`say who signs in (--user): ${names}`)
}

class RequestError extends Error {
  readonly code = 'BadRequest'
}

/** A file that was named and cannot be read; the code is the file system's. */
class UnreadableError extends Error {
  readonly code: unknown
  constructor(cause: NodeJS.ErrnoException) {
    super(cause.message)
    this.code = cause.code
  }
}

/** Whatever hinders reading is the fault of who named the file. */
function given<T>(read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new UnreadableError(error as NodeJS.ErrnoException)
  }
}

function json(request: { json(): Promise<unknown> }): Promise<unknown> {
  return request.json().catch(() => undefined)
}

function read<const T extends v.GenericSchema>(schema: T, body: unknown): v.InferOutput<T> {
  const parsed = v.safeParse(schema, body)
  if (!parsed.success) throw new RequestError(v.summarize(parsed.issues))
  return parsed.output
}
