import { encodeHex } from '@skerry/guest/wire'
import { Hono } from 'hono'
import * as v from 'valibot'
import { allowAllPolicy, securityContextFiles } from '../aci/index.ts'
import { type EmulatorContext, toResponse } from '../core/index.ts'
import { findIdentity } from '../imds/index.ts'
import { rollSigningKey } from '../maa/index.ts'
import { GuestRequestError } from '../psp/errors.ts'
import type { VirtualGuest, VirtualProcessor } from '../psp/types.ts'
import { type GuestMessages, guestMessages, OCTETS } from './guest-messages.ts'
import { type InstanceControl, instanceRoutes } from './instance-routes.ts'
import { LaunchRequest, launchRequested, type RequestedGuest } from './launch-request.ts'
import { processorRoutes } from './processor-routes.ts'

/*
 * What other programs of this user ask of a running instance: `skerry env`, `explain` and `run` are clients of these
 * routes. The door has checked the credential.
 */

export interface ControlOptions {
  readonly context: EmulatorContext
  readonly psp: VirtualProcessor
  readonly hostNames: () => readonly string[]
  readonly dataDir: string | undefined
  readonly instance: InstanceControl
}

export interface Control {
  handle(request: Request): Promise<Response>
  /** The part of it that answers in plain parts, too. */
  readonly messages: GuestMessages
  /** Ids of the guests that were launched and not released yet. */
  guests(): string[]
}

/** Its answer. Binary values are lower-case hex, but for the files, which are base64 text as the guest agent writes it. */
export interface LaunchAnswer {
  readonly id: string
  readonly hostData: string
  /** File name to content. */
  readonly securityContext: Readonly<Record<string, string>>
  readonly hostNames: readonly string[]
  /** ARM id of the identity that was asked for. */
  readonly managedIdentityId?: string
}

/** What `POST /.skerry/attestation/signing-key` answers: the attestation service signs with a new key. */
export interface SigningKeyAnswer {
  /** Of the key that signs now; the first one is 0. */
  readonly generation: number
}

export function createControl(options: ControlOptions): Control {
  const { context, psp } = options
  const guests = new Map<string, VirtualGuest>()
  const guestOf = (id: string) => guests.get(id)
  const messages = guestMessages(guestOf)
  const app = new Hono()
    .get('/.skerry/status', (c) =>
      c.json({
        pid: process.pid,
        data: options.dataDir,
        journal: context.journal.file,
        decisions: context.journal.records().length,
        hostNames: options.hostNames(),
        time: new Date(context.clock.now()).toISOString(),
      }),
    )
    .get('/.skerry/journal', (c) => {
      const after = Number(c.req.query('after') ?? 0)
      const lines = context.journal.records().filter(({ seq }) => seq > after)
      return c.body(lines.map((line) => `${JSON.stringify(line)}\n`).join(''), 200, {
        'content-type': 'application/x-ndjson',
      })
    })
    .post('/.skerry/attestation/signing-key', (c) => {
      const { generation } = rollSigningKey(context)
      return c.json({ generation } satisfies SigningKeyAnswer)
    })
    .get('/.skerry/security-context', async (c) => c.json(await securityContextFiles(psp, allowAllPolicy())))
    .post('/.skerry/psp/guests', async (c) => {
      const parsed = v.safeParse(LaunchRequest, await c.req.json().catch(() => undefined))
      if (!parsed.success) {
        return c.json({ error: { code: 'BadRequest', message: v.summarize(parsed.issues) } }, 400)
      }
      const { identity: wanted } = parsed.output
      const identity = wanted === undefined ? undefined : findIdentity(context, wanted)
      if (identity !== undefined && 'names' in identity) {
        const choices = identity.names.length === 0 ? 'there is none' : `there is ${identity.names.join(', ')}`
        const message = `no managed identity is called ${wanted}: ${choices}`
        return c.json({ error: { code: 'IdentityNotFound', message } }, 404)
      }
      let launched: RequestedGuest
      try {
        launched = launchRequested(psp, parsed.output)
      } catch (error) {
        if (!(error instanceof GuestRequestError)) throw error
        const message = `the host cannot keep this guest policy: ${error.message}`
        return c.json({ error: { code: 'BadRequest', message } }, 400)
      }
      const { guest, host, hostData, policyText } = launched
      const id = encodeHex(guest.reportId)
      guests.set(id, guest)
      const answer: LaunchAnswer = {
        id,
        hostData: encodeHex(hostData),
        securityContext: await securityContextFiles(host, policyText),
        hostNames: options.hostNames(),
        ...(identity !== undefined && { managedIdentityId: identity.id }),
      }
      return c.json(answer, 201)
    })
    .post('/.skerry/psp/guests/:id/:message{report|key}', async (c) => toResponse(await messages.answer(c.req.raw)))
    .get('/.skerry/psp/guests/:id/certificates', async (c) => {
      const guest = guestOf(c.req.param('id'))
      if (guest === undefined) return c.notFound()
      return c.body(Uint8Array.from(await guest.certificateTable()), 200, { 'content-type': OCTETS })
    })
    .delete('/.skerry/psp/guests/:id', (c) => (guests.delete(c.req.param('id')) ? c.body(null, 204) : c.notFound()))
    .route('/.skerry', processorRoutes(psp))
    .route('/.skerry', instanceRoutes(context, options.instance))
    .notFound((c) =>
      c.json({ error: { code: 'NotFound', message: `there is no ${new URL(c.req.url).pathname}` } }, 404),
    )
    .onError((error, c) => c.json({ error: { code: 'InternalServerError', message: error.message } }, 500))
  return {
    handle: async (request) => await app.fetch(request),
    messages,
    guests: () => [...guests.keys()],
  }
}

export type { LaunchRequest } from './launch-request.ts'
