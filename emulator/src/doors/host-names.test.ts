import { expect, it } from 'vitest'
import { EMULATED_DOMAINS } from '../core/index.ts'
import { createTestContext } from '../core/test-context.ts'
import { ENTRA_HOSTS } from '../entra/index.ts'
import { emulatedHostNames } from './host-names.ts'

const names = emulatedHostNames(createTestContext().ctx.store)

it.each(names)('%s may stand in a certificate of the emulator', (name) => {
  expect(EMULATED_DOMAINS.some((domain) => name === domain || name.endsWith(`.${domain}`))).toBe(true)
})

it('every name of Entra is among them', () => {
  expect(names).toEqual(expect.arrayContaining([...ENTRA_HOSTS]))
})
