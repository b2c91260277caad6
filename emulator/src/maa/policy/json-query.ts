import { createContext, Script } from 'node:vm'
import * as jmespath from '@jmespath-community/jmespath'
import { compile, type JSONValue, TreeInterpreter } from '@jmespath-community/jmespath'
import { machineMs } from '../../core/clock.ts'
import { DEEPEST_JSON, isNestedDeeper } from '../../core/json-depth.ts'
import { PolicyRunError } from './errors.ts'

/*
 * JMESPath inside of a policy ("Claim rule functions", JmesPath). Where the query comes from is anybody's business: a
 * draft policy needs no token. So it has a bounded time, and what it makes has a bounded size.
 */

/** For all queries of one evaluation. One of the published policies takes microseconds. */
const PATIENCE_MS = 500
const LONGEST_RESULT = 1_048_576

/** Microsoft's published policies use it; it is not of JMESPath. */
const EQUALS_IGNORE_CASE = 'equals_ignore_case'
if (!jmespath.isRegistered(EQUALS_IGNORE_CASE)) {
  jmespath.register(EQUALS_IGNORE_CASE, ([a, b]) => String(a).toLowerCase() === String(b).toLowerCase(), [
    { types: [jmespath.TYPE_STRING] },
    { types: [jmespath.TYPE_STRING] },
  ])
}

// A timeout of a script ends whatever it called, too.
const script = new Script('work()')
const realm = createContext({ work: (): string => 'null' })

/** What is left for the queries of one evaluation, in milliseconds of this machine: it bounds work, and no time passes. */
export interface QueryBudget {
  leftMs: number
  readonly now: () => number
}

export const queryBudget = (now = machineMs): QueryBudget => ({ leftMs: PATIENCE_MS, now })

/**
 * The result of a query as JSON text; `null` where there is none.
 * @throws PolicyRunError for JSON or a query that is none, and for what takes too long or becomes too large
 */
export function queryJson(json: string, query: string, budget: QueryBudget = queryBudget()): string {
  const data = parseJson(json, 'JmesPath')
  if (query === '') throw new PolicyRunError('JmesPath: the query is empty')
  if (isNestedDeeper(query, DEEPEST_JSON))
    throw new PolicyRunError(`JmesPath: a query nested deeper than ${DEEPEST_JSON}`)
  const work = () => boundedJson(TreeInterpreter.search(compile(query), data))
  const started = budget.now()
  try {
    realm.work = work
    return script.runInContext(realm, { timeout: Math.max(1, Math.ceil(budget.leftMs)) }) as string
  } catch (error) {
    if (error instanceof PolicyRunError) throw error
    const message = error instanceof Error ? error.message : String(error)
    throw new PolicyRunError(`JmesPath: ${message.slice(0, 200)} in the query ${JSON.stringify(query.slice(0, 200))}`)
  } finally {
    budget.leftMs -= budget.now() - started
  }
}

/** @throws PolicyRunError */
export function parseJson(json: string, caller: string): JSONValue {
  if (isNestedDeeper(json, DEEPEST_JSON)) throw new PolicyRunError(`${caller}: JSON nested deeper than ${DEEPEST_JSON}`)
  try {
    return JSON.parse(json) as JSONValue
  } catch {
    throw new PolicyRunError(`${caller}: ${JSON.stringify(json.slice(0, 200))} is not JSON`)
  }
}

/** A result may hold one value in many places: as text it would be far larger than in memory. */
function boundedJson(value: JSONValue): string {
  let size = 0
  const measure = (part: JSONValue): void => {
    size += typeof part === 'string' ? part.length + 2 : 4
    if (size > LONGEST_RESULT)
      throw new PolicyRunError(`JmesPath: the result has more than ${LONGEST_RESULT} characters`)
    if (Array.isArray(part)) for (const item of part) measure(item)
    else if (typeof part === 'object' && part !== null) {
      for (const [name, member] of Object.entries(part)) {
        size += name.length + 3
        measure(member)
      }
    }
  }
  measure(value)
  return JSON.stringify(value)
}
