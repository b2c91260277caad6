/**
 * A value of JSON as a text for people. `String` would fail for an object that has a member `toString` of its own.
 */
export function jsonText(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value))
}
