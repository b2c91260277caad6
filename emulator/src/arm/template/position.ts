/** Where in a JSON text a value begins: line from 1, column as Azure counts it (of the value's first character, from 1). */
export interface Position {
  readonly line: number
  readonly column: number
}

/** Finds the value at a path of member names; undefined when the text has none there (or is no JSON). */
export function positionOf(text: string, path: readonly string[]): Position | undefined {
  let at = 0
  const skip = () => {
    while (at < text.length && ' \t\r\n'.includes(text[at]!)) at += 1
  }
  const readString = (): string => {
    const from = at
    at += 1
    while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1
    at += 1
    return text.slice(from + 1, at - 1)
  }
  const skipValue = () => {
    skip()
    if (text[at] === '"') {
      readString()
    } else if (text[at] === '{' || text[at] === '[') {
      let depth = 0
      do {
        if (text[at] === '"') {
          readString()
          continue
        }
        if (text[at] === '{' || text[at] === '[') depth += 1
        if (text[at] === '}' || text[at] === ']') depth -= 1
        at += 1
      } while (depth > 0 && at < text.length)
    } else {
      while (at < text.length && !',}]'.includes(text[at]!)) at += 1
    }
  }
  /** From before an object to before the value of its member; false when there is none. */
  const enter = (name: string): boolean => {
    skip()
    if (text[at] !== '{') return false
    at += 1
    for (;;) {
      skip()
      if (text[at] !== '"') return false
      const key = readString()
      skip()
      at += 1
      if (key.toLowerCase() === name.toLowerCase()) return true
      skipValue()
      skip()
      if (text[at] !== ',') return false
      at += 1
    }
  }
  for (const name of path) if (!enter(name)) return undefined
  skip()
  const before = text.slice(0, at)
  const line = before.split('\n').length
  return { line, column: at - before.lastIndexOf('\n') }
}
