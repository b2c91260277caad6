import type { DirectoryObject } from './objects.ts'

/** `$filter`: equalities and beginnings, joined by `or` or by `and`, and `names/any(c:c eq '…')`. */
const TERM =
  /^(?:(?<field>\w+) eq '(?<equal>(?:[^']|'')*)'|startswith\((?<begun>\w+),\s*'(?<start>(?:[^']|'')*)'\)|(?<list>\w+)\/any\((?<item>\w+):\s*\k<item> eq '(?<member>(?:[^']|'')*)'\))$/i

/** The objects that it lets through; undefined for a filter of another form, which is not covered. */
export function filterOf(text: string | undefined): ((object: DirectoryObject) => boolean) | undefined {
  if (text === undefined || text.trim() === '') return () => true
  const joint = / or /i.test(text) ? / or /i : / and /i
  const terms = text
    .trim()
    .split(joint)
    .map((term) => TERM.exec(term.trim())?.groups)
  if (terms.some((term) => term === undefined)) return undefined
  const holds = (object: DirectoryObject, term: Partial<Record<string, string>>): boolean => {
    const { field, equal = '', begun, start = '', list, member = '' } = term
    if (field !== undefined) return plain(object[field]) === plain(equal)
    if (begun !== undefined) return plain(object[begun]).startsWith(plain(start))
    const items = object[list ?? '']
    return Array.isArray(items) && items.some((item) => plain(item) === plain(member))
  }
  return (object) =>
    joint.source.includes('or')
      ? terms.some((term) => holds(object, term!))
      : terms.every((term) => holds(object, term!))
}

/** Graph compares text without case; a quote is doubled in a literal (OData 4.01 URL conventions, 5.1.1.6.2). */
function plain(value: unknown): string {
  return typeof value === 'string' ? value.replaceAll("''", "'").toLowerCase() : ''
}
