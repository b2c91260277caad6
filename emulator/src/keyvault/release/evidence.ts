import type { ReleaseDecision } from '@skerry/guest/wire'
import type { JournalCondition } from '../../core/index.ts'
import type { Evidence } from '../errors.ts'
import { hintFor } from './hints.ts'

/** What the journal says about a refused release; the answer says none of it. */
export function refusalEvidence(
  subject: string,
  conditions: readonly JournalCondition[],
  details: { readonly enc: string; readonly authority: string | undefined },
): Evidence {
  // Where one of the authorities did issue the token, those that did not are beside the point.
  const issued = conditions.some(({ name, met }) => name === 'iss' && met)
  const failed = conditions.find(({ name, met }) => !met && !(issued && name === 'iss'))
  return {
    subject,
    summary:
      failed === undefined ? 'The release was refused.' : `The release was refused: ${failed.name} did not hold.`,
    conditions,
    ...(failed?.hint === undefined ? {} : { action: failed.hint }),
    details,
  }
}

/** Every condition of every authority; of an allowed release only those of the authority that allowed it. */
export function policyConditions(decision: ReleaseDecision, issuer: string): JournalCondition[] {
  const deciding = decision.authorities.filter(({ allowed }) => allowed || !decision.allowed)
  const listed = decision.allowed ? deciding.slice(0, 1) : deciding
  return listed.flatMap(({ authority, issuerMatched, refusedBy, conditions }) => [
    {
      name: 'iss',
      wanted: authority,
      found: issuer,
      met: issuerMatched,
      ...(issuerMatched ? {} : { hint: hintFor({ claim: 'iss', found: issuer, ...(refusedBy && { refusedBy }) }) }),
    },
    ...conditions.map((condition) => ({
      name: condition.claim,
      wanted: condition.operator === 'equals' ? condition.wanted : `${condition.operator} ${condition.wanted}`,
      found: condition.found ?? null,
      met: condition.met,
      ...(condition.met ? {} : { hint: hintFor(condition) }),
    })),
  ])
}
