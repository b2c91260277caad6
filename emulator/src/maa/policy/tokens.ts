import { PolicySyntaxError } from './errors.ts'

export interface Token {
  readonly kind: 'name' | 'integer' | 'string' | 'mark' | 'end'
  /** As it stands in the text. */
  readonly text: string
  /** Of a string: without its quotes and escapes. */
  readonly content: string
  readonly start: number
  readonly line: number
  readonly column: number
}

/** How long a policy may be, in UTF-16 units. Azure's limit is not known; the longest published policy has 12,000. */
export const LONGEST_POLICY = 262_144

const BLANK = /(?:[ \t\r\n]|\/\/[^\r\n]*)+/y
const NAME = /[A-Za-z_][A-Za-z0-9_]*/y
const INTEGER = /-?[0-9]+/y
// One way only to match: nothing to go back to when the end is missing.
const STRING = /"[^"\\\r\n]*(?:\\.[^"\\\r\n]*)*"/y
const MARK = /=>|==|!=|<=|>=|&&|[=<>!:;,.(){}[\]]/y

/**
 * Cuts a policy into its tokens; the last one is `end`. Comments run from `//` to the end of their line.
 * @throws PolicySyntaxError
 */
export function tokenize(text: string): Token[] {
  const tokens: Token[] = []
  let [at, line, lineStart] = [0, 1, 0]
  const here = (symbol: string) => ({ symbol, line, column: at - lineStart })
  if (text.length > LONGEST_POLICY) {
    throw new PolicySyntaxError(`a policy has at most ${LONGEST_POLICY} characters`, here('<text>'), 'policy')
  }
  const take = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at
    return pattern.exec(text)?.[0]
  }
  const push = (kind: Token['kind'], symbol: string, content: string) => {
    tokens.push({ kind, text: symbol, content, start: at, line, column: at - lineStart })
    at += symbol.length
  }
  const skip = (blank: string) => {
    for (let index = 0; index < blank.length; index++) {
      if (blank.charCodeAt(index) !== LINE_FEED) continue
      line += 1
      lineStart = at + index + 1
    }
    at += blank.length
  }
  for (;;) {
    skip(take(BLANK) ?? '')
    if (at >= text.length) break
    const name = take(NAME)
    const integer = name === undefined ? take(INTEGER) : undefined
    const string = take(STRING)
    const mark = take(MARK)
    if (name !== undefined) push('name', name, name)
    else if (integer !== undefined) push('integer', integer, integer)
    else if (string !== undefined) push('string', string, contentOf(string, here(string)))
    else if (mark !== undefined) push('mark', mark, mark)
    else {
      const symbol = String.fromCodePoint(text.codePointAt(at)!)
      const reason =
        symbol === '"' ? 'a string that does not end on its line' : `token recognition error at: '${symbol}'`
      throw new PolicySyntaxError(reason, here(symbol), 'policy')
    }
  }
  tokens.push({ kind: 'end', text: '<EOF>', content: '', start: at, line, column: at - lineStart })
  return tokens
}

const LINE_FEED = 0x0a

function contentOf(string: string, at: { symbol: string; line: number; column: number }): string {
  return string.slice(1, -1).replace(/\\(.)/gs, (sequence, character: string) => {
    if (character === '"' || character === '\\') return character
    throw new PolicySyntaxError(`the escape ${sequence} in a string: only \\" and \\\\ are known`, at, 'policy')
  })
}
