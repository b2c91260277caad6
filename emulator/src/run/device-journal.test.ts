import { expect, it } from 'vitest'
import { openJournal } from '../core/journal.ts'
import { deviceJournal } from './device-journal.ts'
import { unreachableCaller } from './unreachable.ts'

it('the journal says why a program got no report: a fault of the emulator, or memory that is kept from it', () => {
  const journal = openJournal({ now: () => 0 })
  const { onFault, onUnreachable } = deviceJournal(journal)
  onFault(new TypeError('no such chip'))
  onUnreachable(unreachableCaller(7, { user: 1000, read: () => undefined }))
  expect(journal.records()).toMatchObject([
    { service: 'psp', outcome: 'failed', summary: 'A request to the device ended with EIO: no such chip' },
    {
      service: 'aci',
      outcome: 'failed',
      summary: expect.stringMatching(/^a program \(process 7\) asked the SNP device and cannot be answered/),
      details: { code: 'ERR_UNDUMPABLE_PROCESS' },
    },
  ])
})
