import type { BaseIssue } from 'valibot'

/** A place in a JSON document (RFC 6901). */
export function pointerOf(path: readonly (string | number)[]): string {
  return path.map((segment) => `/${String(segment).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('')
}

/**
 * Of what a validator has found, the first: where, and what it wanted there. The message of a schema is what it wanted, in
 * words; what was found is never said, since it may be a secret.
 */
export function firstIssue(issues: readonly [BaseIssue<unknown>, ...BaseIssue<unknown>[]]): {
  readonly path: readonly (string | number)[]
  readonly wanted: string
} {
  const [issue] = issues
  const path = (issue.path ?? []).map(({ key }) => key as string | number)
  // Each a schema's own words: "Invalid type: Expected Object but received …".
  const own = issue.message.startsWith('Invalid ')
  const unknownMember = issue.type === 'strict_object' && issue.expected === 'never'
  if (unknownMember) return { path, wanted: 'no such member' }
  if (!own) return { path, wanted: issue.message }
  if (issue.received === 'undefined') return { path, wanted: 'this member' }
  return { path, wanted: wordsOf(issue.expected) }
}

function wordsOf(expected: string | null): string {
  return (expected ?? 'something else').replaceAll('Array', 'an array').replaceAll('Object', 'an object')
}
