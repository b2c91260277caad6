import { describe, expect, it } from 'vitest'
import { activityFailure, redact, stateOfFailure } from './failure.ts'

describe('the text of a failure', () => {
  it.each([
    ['at AccountKey=abc;more "then"', 'at [Hidden Credential]"then"'],
    ['PASSWORD=x', '[Hidden Credential]'],
    ['https://h/p?sig=abc&x=1', 'https://h/p[Hidden Credential]'],
    ['https://h/p?a=1&code=abc', 'https://h/p?a=1[Hidden Credential]'],
    ['token=abc', '[Hidden Credential]'],
    ['PublicKeyToken=abc', 'PublicKeyToken=abc'],
    ["key=abc' kept", "[Hidden Credential]' kept"],
    ['amqp://user:secret@host:5671/x', '[Hidden Credential]/x'],
    ['nothing to hide', 'nothing to hide'],
  ])('%j is kept as %j', (text, expected) => {
    expect(redact(text)).toBe(expected)
  })

  it('of an activity has a reason with two blanks, and the wrapped text in its details', () => {
    const { Reason, Details, FailureDetails } = activityFailure('A', { message: 'no', stackTrace: 'at x' })
    expect(Reason).toBe("Activity function 'A' failed:  no")
    expect(JSON.parse(Details)).toMatchObject({ Message: 'Result: Failure\nException: no\nStack: at x' })
    expect(FailureDetails).toBeNull()
  })

  it('of an activity whose app describes its errors becomes failure details', () => {
    const message = JSON.stringify({
      errorType: 'RangeError',
      errorMessage: 'far',
      isNonRetriable: false,
      properties: { n: 1 },
    })
    expect(activityFailure('A', { message, stackTrace: '' }).FailureDetails).toEqual({
      ErrorType: 'RangeError',
      ErrorMessage: 'far',
      IsNonRetriable: false,
      Properties: { n: 1 },
    })
  })

  it('of an orchestrator gives back the state inside it, unless redaction cut into the JSON', () => {
    const message = (error: string) =>
      `false\n\n$OutOfProcData$:${JSON.stringify({ isDone: false, actions: [[]], error })}`
    expect(stateOfFailure(message('boom'))).toMatchObject({ error: 'boom' })
    expect(stateOfFailure(message('say "key=1"'))).toBe('malformed')
    expect(stateOfFailure('plain')).toBeUndefined()
  })
})
