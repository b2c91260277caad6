import { ExpressionError } from './errors.ts'

/** The syntax tree of one template expression. */
export type Expression =
  | { readonly kind: 'literal'; readonly value: string | number }
  | { readonly kind: 'call'; readonly name: string; readonly args: readonly Expression[] }
  | { readonly kind: 'member'; readonly target: Expression; readonly name: string }
  | { readonly kind: 'index'; readonly target: Expression; readonly index: Expression }

/** A string is an expression when it starts with `[` (but not `[[`) and ends with `]`. */
export function isExpression(text: string): boolean {
  return text.startsWith('[') && !text.startsWith('[[') && text.endsWith(']')
}

/** What a string that is no expression stands for: itself, with a leading `[[` undone. */
export function literalText(text: string): string {
  return text.startsWith('[[') && text.endsWith(']') ? text.slice(1) : text
}

const TOKEN = /\s*(?:('(?:[^']|'')*')|(-?\d+(?:\.\d+)?)|([A-Za-z_$][\w$]*)|([()[\],.]))/y

/** Parses the text between the outer brackets. @throws ExpressionError */
export function parseExpression(text: string): Expression {
  const source = text.slice(1, -1)
  const tokens = tokenize(source, text)
  let at = 0
  const fail = (): never => {
    const found = tokens[at]?.text
    throw new ExpressionError(
      `The language expression '${source}' is not valid: ${found === undefined ? 'the string is not complete' : `the string character '${found}' at position '${tokens[at]?.at}' is not expected`}.`,
    )
  }
  const accept = (symbol: string): boolean => {
    if (tokens[at]?.kind !== 'symbol' || tokens[at]?.text !== symbol) return false
    at += 1
    return true
  }
  const expect = (symbol: string) => {
    if (!accept(symbol)) fail()
  }
  const identifier = (): string => {
    const token = tokens[at]
    if (token?.kind !== 'name') return fail()
    at += 1
    return token.text
  }
  const args = (): Expression[] => {
    const list: Expression[] = []
    if (accept(')')) return list
    do list.push(expression())
    while (accept(','))
    expect(')')
    return list
  }
  const primary = (): Expression => {
    const token = tokens[at]
    if (token?.kind === 'string' || token?.kind === 'number') {
      at += 1
      const value = token.kind === 'number' ? Number(token.text) : token.text.slice(1, -1).replaceAll("''", "'")
      return { kind: 'literal', value }
    }
    let name = identifier()
    // A user function is called by its namespace: `ns.function(…)`.
    if (tokens[at]?.text === '.' && tokens[at + 2]?.text === '(') {
      at += 1
      name = `${name}.${identifier()}`
    }
    expect('(')
    return { kind: 'call', name, args: args() }
  }
  const expression = (): Expression => {
    let target = primary()
    for (;;) {
      if (accept('.')) target = { kind: 'member', target, name: identifier() }
      else if (accept('[')) {
        target = { kind: 'index', target, index: expression() }
        expect(']')
      } else return target
    }
  }

  const tree = expression()
  if (at < tokens.length) fail()
  return tree
}

interface Token {
  readonly kind: 'string' | 'number' | 'name' | 'symbol'
  readonly text: string
  readonly at: number
}

function tokenize(source: string, whole: string): Token[] {
  const tokens: Token[] = []
  TOKEN.lastIndex = 0
  while (source.slice(TOKEN.lastIndex).trim() !== '') {
    const from = TOKEN.lastIndex
    const match = TOKEN.exec(source)
    if (match === null) {
      throw new ExpressionError(
        `Unable to parse language expression '${whole}': the string character '${source.slice(from).trim()[0]}' at position '${from}' is not expected.`,
      )
    }
    const [, string, number, name, symbol] = match
    const kind =
      string !== undefined ? 'string' : number !== undefined ? 'number' : name !== undefined ? 'name' : 'symbol'
    tokens.push({ kind, text: string ?? number ?? name ?? symbol ?? '', at: from })
  }
  return tokens
}

/** Every call in a tree, outer ones first. */
export function* callsIn(tree: Expression): Generator<Extract<Expression, { kind: 'call' }>> {
  if (tree.kind === 'call') {
    yield tree
    for (const argument of tree.args) yield* callsIn(argument)
  } else if (tree.kind === 'member') {
    yield* callsIn(tree.target)
  } else if (tree.kind === 'index') {
    yield* callsIn(tree.target)
    yield* callsIn(tree.index)
  }
}
