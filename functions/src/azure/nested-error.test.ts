import { expect, it } from 'vitest'
import { deepestMessage } from './nested-error.ts'

it('the innermost of nested ARM errors is what a person reads, also where it is JSON in a message', () => {
  const inner = JSON.stringify({
    status: 'Failed',
    error: { code: 'ResourceDeploymentFailure', details: [{ code: 'X', message: 'the cause' }] },
  })
  expect(
    deepestMessage({
      code: 'DeploymentFailed',
      message: 'see details',
      details: [{ code: 'Conflict', message: inner }],
    }),
  ).toBe('X: the cause')
})

it('a message that only looks like JSON is the message', () => {
  expect(deepestMessage({ code: 'X', message: '{not JSON' })).toBe('X: {not JSON')
})
