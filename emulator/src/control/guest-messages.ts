import type { PlainAnswer, PlainRequest } from '../core/index.ts'
import { GuestRequestError } from '../psp/errors.ts'
import type { VirtualGuest } from '../psp/types.ts'

/**
 * `POST /.skerry/psp/guests/{id}/report` and `…/key`: what a guest of `skerry run` asks of its processor. In plain parts:
 * each report of a program comes this way.
 */
export interface GuestMessages {
  covers(method: string, url: URL): boolean
  answer(request: PlainRequest): Promise<PlainAnswer>
}

export const OCTETS = 'application/octet-stream'

const PATH = /^\/\.skerry\/psp\/guests\/([^/]+)\/(report|key)$/

export function guestMessages(guestOf: (id: string) => VirtualGuest | undefined): GuestMessages {
  return {
    covers: (method, { pathname }) => method === 'POST' && PATH.test(pathname),
    async answer(request) {
      const [, id = '', message] = PATH.exec(new URL(request.url).pathname) ?? []
      const guest = guestOf(id)
      if (guest === undefined) return json(404, 'NotFound', `there is no guest ${id}`)
      const asked = await request.bytes()
      try {
        const body = message === 'key' ? await guest.keyRequest(asked) : await guest.reportRequest(asked)
        return { status: 200, headers: { 'Content-Type': OCTETS }, body }
      } catch (error) {
        if (!(error instanceof GuestRequestError)) throw error
        const { message: words, failure, status } = error
        return json(422, 'GuestRequestFailed', words, { failure, status })
      }
    },
  }
}

function json(status: number, code: string, message: string, more: object = {}): PlainAnswer {
  const body = JSON.stringify({ error: { code, message, ...more } })
  return { status, headers: { 'Content-Type': 'application/json' }, body }
}
