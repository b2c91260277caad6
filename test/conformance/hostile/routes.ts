import fc from 'fast-check'
import { oddBody, oddHeader, oddMethod, oddPath, oddQuery } from './junk.ts'
import type { Sent } from './world.ts'

/** A request that the service takes as it stands, to be mutated. */
export interface Route {
  readonly name: string
  readonly method: string
  readonly origin: string
  readonly path: string
  readonly query: string
  readonly headers: Readonly<Record<string, string>>
  /** JSON, or the members of a form. */
  readonly body?: unknown
  readonly form?: Readonly<Record<string, string>>
  /** What it is answered with. */
  readonly status: number
}

export function bodyOf({ body, form }: Pick<Route, 'body' | 'form'>): string | undefined {
  if (form !== undefined) return new URLSearchParams(form).toString()
  return body === undefined ? undefined : JSON.stringify(body)
}

export function sentOf(route: Route, changes: Partial<Sent & { path: string; query: string }> = {}): Sent {
  const { path = route.path, query = route.query } = changes
  const body = changes.body ?? bodyOf(route)
  return {
    method: changes.method ?? route.method,
    url: `${route.origin}${path}${query === '' ? '' : `?${query}`}`,
    headers: { ...route.headers, ...changes.headers },
    ...(body !== undefined && { body }),
  }
}

/** One of the routes with one to three parts of its request changed. */
export function mutated(routes: readonly Route[]): fc.Arbitrary<{ route: string; sent: Sent }> {
  return fc.constantFrom(...routes).chain((route) => {
    const body = route.form === undefined ? oddBody(route.body ?? {}) : oddForm(route.form)
    const headers = fc.array(oddHeader, { minLength: 1, maxLength: 2 }).map(Object.fromEntries)
    // Who changes everything is refused for the first thing, and the rest is never looked at.
    const change = fc.oneof(
      { weight: route.body === undefined && route.form === undefined ? 1 : 6, arbitrary: fc.record({ body }) },
      { weight: 2, arbitrary: fc.record({ query: oddQuery(route.query) }) },
      { weight: 2, arbitrary: fc.record({ headers }) },
      { weight: 2, arbitrary: fc.record({ path: oddPath(route.path) }) },
      { weight: 1, arbitrary: fc.record({ method: oddMethod }) },
    )
    const changes = fc.array(change, { minLength: 1, maxLength: 2 }).map((each) => Object.assign({}, ...each))
    return changes.map((change) => ({ route: route.name, sent: sentOf(route, change as Partial<Sent>) }))
  })
}

/** A form of which a field was changed, doubled, dropped or added. */
function oddForm(form: Readonly<Record<string, string>>): fc.Arbitrary<string> {
  const names = [...Object.keys(form), '__proto__', 'scope', 'resource', 'claims']
  return fc
    .tuple(
      fc.constantFrom(...names),
      fc.string({ unit: 'binary', maxLength: 60 }),
      fc.constantFrom('set', 'add', 'drop', 'raw'),
    )
    .map(([name, value, how]) => {
      const fields = new URLSearchParams(form)
      if (how === 'set') fields.set(name, value.toWellFormed())
      if (how === 'add') fields.append(name, value.toWellFormed())
      if (how === 'drop') fields.delete(name)
      return how === 'raw' ? `${fields}&%=%FF&=&${name}` : fields.toString()
    })
}
