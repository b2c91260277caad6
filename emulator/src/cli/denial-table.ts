import type { JournalCondition, JournalRecord } from '../core/index.ts'

/**
 * One refusal as a person reads it: who refused what, then each condition with what was wanted and found, what to do.
 * Conditions that were met come last and short, so that the reason stands on top.
 */
export function denialTable(record: JournalRecord): string {
  const conditions = record.conditions ?? []
  const unmet = conditions.filter(({ met }) => !met)
  const met = conditions.filter(({ met }) => met)
  const answer = record.answer ? `  (answered ${record.answer.status} ${record.answer.code ?? ''})`.trimEnd() : ''
  const width = Math.max(5, ...conditions.map(({ name }) => name.length))
  return [
    `${record.service} ${record.outcome} ${record.operation}${record.subject ? ` of ${record.subject}` : ''}${answer}`,
    record.summary,
    '',
    ...unmet.flatMap((condition) => [
      `  ✗ ${condition.name}`,
      `      wanted  ${show(condition.wanted)}`,
      `      found   ${show(condition.found)}`,
      ...(condition.hint ? [`      do      ${condition.hint}`] : []),
    ]),
    ...met.map((condition) => `  ✓ ${condition.name.padEnd(width)}  ${show(condition.found)}`),
    ...(isNews(record.action, unmet) ? ['', `What to do: ${record.action}`] : []),
  ].join('\n')
}

/** What is said beside a condition already is not said again. */
function isNews(action: string | undefined, unmet: readonly JournalCondition[]): action is string {
  return action !== undefined && !unmet.some(({ hint }) => hint === action)
}

function show(value: unknown): string {
  if (value === undefined) return '(absent)'
  return typeof value === 'string' ? value : JSON.stringify(value)
}
