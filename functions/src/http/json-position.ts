type Expected = 'value' | 'value or ]' | 'name' | 'name or }' | ':' | ', or end' | 'nothing'

const SPACE = /[ \t\n\r]*/y
const TOKEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: JSON forbids them in strings (RFC 8259, section 7)
  /[{}[\]:,]|"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y

/**
 * Where a text that is not JSON (RFC 8259) stops being so, as `line 2 column 7`, both from 1: the start of the first token
 * that does not fit. `JSON.parse` says it for some faults only, and for the others repeats what was sent.
 */
export function jsonFaultPosition(text: string): string {
  const before = text.slice(0, firstMisfit(text)).split(/\r\n|\r|\n/)
  return `line ${before.length} column ${before.at(-1)!.length + 1}`
}

function firstMisfit(text: string): number {
  const open: ('{' | '[')[] = []
  let expected: Expected | undefined = 'value'
  for (let at = 0; ; at = TOKEN.lastIndex) {
    SPACE.lastIndex = at
    SPACE.exec(text)
    TOKEN.lastIndex = SPACE.lastIndex
    const token = TOKEN.exec(text)?.[0]
    expected = token === undefined ? undefined : after(expected, token, open)
    if (expected === undefined) return SPACE.lastIndex
  }
}

/** What may follow a token; undefined when the token itself may not stand there. */
function after(expected: Expected, token: string, open: ('{' | '[')[]): Expected | undefined {
  const ended = (): Expected => (open.length > 0 ? ', or end' : 'nothing')
  switch (expected) {
    case 'value or ]':
    case 'value':
      if (token === ']' && expected === 'value or ]') {
        open.pop()
        return ended()
      }
      if (token === '{' || token === '[') {
        open.push(token)
        return token === '{' ? 'name or }' : 'value or ]'
      }
      return /^[}\]:,]$/.test(token) ? undefined : ended()
    case 'name or }':
    case 'name':
      if (token === '}' && expected === 'name or }') {
        open.pop()
        return ended()
      }
      return token.startsWith('"') ? ':' : undefined
    case ':':
      return token === ':' ? 'value' : undefined
    case ', or end':
      if (token === ',') return open.at(-1) === '{' ? 'name' : 'value'
      if (token !== (open.at(-1) === '{' ? '}' : ']')) return undefined
      open.pop()
      return ended()
    case 'nothing':
      return undefined
  }
}
