import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { certificationOf } from '../testing/chip.ts'
import { stillClock } from '../testing/clock.ts'
import { fetchCertification } from './thim.ts'

const URL_PATTERN = 'http://169.254.169.254/metadata/THIM/amd/certification'
const server = setupServer()
beforeAll(() => server.listen({ onUnhandledFrame: 'error' }))
afterEach(() => server.resetHandlers())
afterAll(() => server.close())

const certification = certificationOf()

/** Half of each wait is left to chance. */
const between = (least: number, most: number) => expect.closeTo((least + most) / 2, -Math.log10(most - least))

describe('certificates from THIM', () => {
  it('are asked for with the metadata header', async () => {
    server.use(
      http.get(URL_PATTERN, ({ request }) =>
        request.headers.get('metadata') === 'true'
          ? HttpResponse.json(certification)
          : new HttpResponse(null, { status: 400 }),
      ),
    )
    await expect(fetchCertification()).resolves.toEqual(certification)
  })

  it('are asked for again while the service is busy, with growing waits', async () => {
    const clock = stillClock()
    const statuses = [429, 503]
    server.use(
      http.get(URL_PATTERN, () => {
        const status = statuses.shift()
        return status === undefined ? HttpResponse.json(certification) : new HttpResponse(null, { status })
      }),
    )
    await expect(fetchCertification({ clock })).resolves.toEqual(certification)
    expect(clock.waits).toEqual([between(250, 500), between(500, 1000)])
  })

  it('are given up after four tries', async () => {
    const clock = stillClock()
    server.use(http.get(URL_PATTERN, () => HttpResponse.error()))
    await expect(fetchCertification({ clock })).rejects.toMatchObject({
      code: 'ERR_UPSTREAM_UNREACHABLE',
      service: 'THIM',
    })
    expect(clock.waits).toEqual([between(250, 500), between(500, 1000), between(1000, 2000)])
  })

  it('are not asked for again when the request itself is refused', async () => {
    const clock = stillClock()
    server.use(http.get(URL_PATTERN, () => HttpResponse.json({ error: 'bad_request' }, { status: 400 })))
    await expect(fetchCertification({ clock })).rejects.toMatchObject({ status: 400, upstreamCode: 'bad_request' })
    expect(clock.waits).toEqual([])
  })

  it('that are not certificates are refused with the member named', async () => {
    server.use(http.get(URL_PATTERN, () => HttpResponse.json({ ...certification, tcbm: 'xyz' })))
    await expect(fetchCertification()).rejects.toMatchObject({
      code: 'ERR_UPSTREAM_BODY',
      message: expect.stringContaining('/tcbm'),
    })
  })
})
