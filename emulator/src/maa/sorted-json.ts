/**
 * JSON whose members stand in the byte-wise order of their names at every level, as in the service's tokens. Written
 * out by hand because an object cannot hold names such as `10` and `9` in that order.
 */
export function sortedJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(sortedJson).join(',')}]`
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  const object = value as Readonly<Record<string, unknown>>
  const names = inByteOrder(Object.keys(object).filter((name) => object[name] !== undefined))
  return `{${names.map((name) => `${JSON.stringify(name)}:${sortedJson(object[name])}`).join(',')}}`
}

/** From here on the order of UTF-16, in which strings are compared, is another than that of UTF-8. */
const LATER = /[\ud800-\uffff]/

function inByteOrder(names: string[]): string[] {
  if (!names.some((name) => LATER.test(name))) return names.sort()
  return names.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)))
}
