import type { ConditionDecision, EvaluationSettings } from '@skerry/guest/wire'

/** What a person would do about a claim that did not meet the policy. */
const HINTS: Readonly<Record<string, string>> = {
  'x-ms-attestation-type': 'Attest with evidence of the kind the policy names; sevsnpvm is that of SEV-SNP.',
  'x-ms-compliance-status':
    'The utility VM was not vouched for: send the UVM reference info to the attestation service, and run on one that Azure signed.',
  'x-ms-sevsnpvm-hostdata':
    'The CCE policy that was deployed is not the one the key was imported for. Deploy the template that was digested, or import the key again for the new policy.',
  'x-ms-sevsnpvm-is-debuggable':
    'The guest was launched with debugging allowed, so that its host can read its memory. Deploy it without.',
  'x-ms-sevsnpvm-vmpl': 'The report was asked for at another privilege level than the policy allows.',
  'x-ms-sevsnpvm-launchmeasurement':
    'Another utility VM was launched than the policy names. Pin its endorsement (x-ms-compliance-status) rather than its measurement, which changes with each update.',
  'x-ms-sevsnpvm-guestsvn': 'The utility VM is older than the policy allows.',
  'x-ms-sevsnpvm-migration-allowed': 'The guest may be migrated. Deploy it without.',
  iss: 'Attest with one of the attestation providers that the policy names, or import the key for this one.',
}

/** About a condition that would hold, had this instance not been told otherwise. */
const SETTING_HINTS: Readonly<Record<keyof EvaluationSettings, string>> = {
  operators:
    'This instance knows no operator but equals (setting releasePolicy.operators). Write the condition with it.',
  nesting: 'This instance takes no groups within groups (setting releasePolicy.nesting). Write the policy without.',
  trailingSlash:
    'They differ in a final slash, which counts here (setting releasePolicy.trailingSlash). Name the authority as its tokens do.',
  coercion:
    'They differ in their JSON type, which counts here (setting releasePolicy.coercion). Write the value as the token has it.',
}

export function hintFor({ claim, found, refusedBy }: Pick<ConditionDecision, 'claim' | 'found' | 'refusedBy'>): string {
  if (refusedBy !== undefined) return SETTING_HINTS[refusedBy]
  const hint = HINTS[claim]
  if (hint !== undefined) return hint
  const report = claim.startsWith('x-ms-sevsnpvm-')
  if (found === undefined)
    return `The attestation token has no claim ${claim}${report ? ' (was the evidence SEV-SNP?)' : ''}.`
  return `Change what ${claim} comes from, or import the key with a policy that allows this value.`
}
