import { expect, it } from 'vitest'
import { reasonOf } from './reason.ts'

it('the reason of a failed activity comes without the wrapping and without the stack', () => {
  expect(reasonOf(new Error("Activity function 'ensureKey' failed:  no connection \n at somewhere"))).toBe(
    'no connection',
  )
})
