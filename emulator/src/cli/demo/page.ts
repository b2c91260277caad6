import type { JournalCondition, JournalRecord } from '../../core/index.ts'
import type { DeploymentView } from './front-door.ts'

/** Lines for a person; pure, so that a test can read them. */

export function stepLine(step: DeploymentView['steps'][number], width: number): string {
  const mark = step.outcome === 'done' ? '✓' : step.outcome === 'failed' ? '✗' : '…'
  const seconds = step.endedAt ? ((Date.parse(step.endedAt) - Date.parse(step.startedAt)) / 1000).toFixed(2) : ''
  return `  ${mark} ${step.name.padEnd(width)} ${seconds.padStart(6)} s  ${shortened(step.detail ?? '')}`.trimEnd()
}

/** ARM ids without the part that is the same in every line of a run. */
function shortened(text: string): string {
  return text.replace(/\/subscriptions\/[^/\s]+\/resourceGroups\/[^/\s]+\/providers\//gi, '')
}

/** The claims of the release that was allowed last for this key. */
export function metClaims(records: readonly JournalRecord[]): JournalRecord['conditions'] {
  return records.findLast((record) => record.operation === 'release' && record.outcome === 'allowed')?.conditions ?? []
}

export interface PageFacts {
  readonly running: DeploymentView
  readonly rotated: DeploymentView
  readonly deleted: DeploymentView
  readonly conditions: JournalRecord['conditions']
  readonly sidecarLine: string | undefined
  readonly proofLines: readonly string[]
  readonly left: readonly string[]
  readonly journalFile: string
  readonly decisions: number
  readonly seconds: number
}

/** The closing page of a run in which the key arrived. */
export function closingPage(facts: PageFacts): string {
  const { running, rotated, conditions } = facts
  const rotation = rotated.rotations?.[0]
  const keyId = running.key?.id ?? ''
  const lines = [
    '',
    'The key reached the attested container, and nowhere else.',
    '',
    field('key', keyId.slice(0, keyId.lastIndexOf('/'))),
    field('versions', `${running.key?.version}  released and proven`),
    ...(rotation ? [field('', `${rotation.toVersion}  after rotation, released and proven`)] : []),
    field('host data', `${running.hostData}  (SHA-256 of the CCE policy)`),
    ...facts.proofLines.map((line, index) => field(index === 0 ? 'proof' : '', line)),
    ...(facts.sidecarLine === undefined ? [] : [field('sidecar', facts.sidecarLine)]),
    '',
    '  The claims that met the release policy:',
    ...(conditions ?? []).filter(({ name }) => isClaim(name)).map(metLine),
    '',
    '  What is left after the teardown:',
    ...facts.left.map((line) => `    ${shortened(line)}`),
    '',
    field('journal', `${facts.journalFile}  (${facts.decisions} decisions)`),
    field('took', `${facts.seconds.toFixed(1)} s`),
    '',
    '  Next:',
    '    npm start -- --tamper policy       the host changes one byte of the policy: see why the vault refuses',
    '    npm start -- --tamper debug        a debuggable guest asks for the key',
    '    npm start -- --tamper tcb          report and certificate disagree',
    '    npm start -- --template FILE --config FILE    your own template and importkeyconfig.json',
    '    npx skerry up                      the emulator alone, for your own clients (npx skerry env prints their settings)',
  ]
  return `${lines.join('\n')}\n`
}

/** Wanted and found on one line; once where they read the same. */
function metLine({ name, wanted, found }: JournalCondition): string {
  const same = show(wanted) === show(found)
  return `    ${name.padEnd(30)} ${same ? show(found) : `${show(found)}  (wanted ${show(wanted)})`}`
}

/** The journal has every check of the token too; the page shows what the policy asked for. */
function isClaim(name: string): boolean {
  return name === 'iss' || (name.startsWith('x-ms-') && name !== 'x-ms-runtime.keys')
}

export function field(name: string, value: string): string {
  return `  ${name.padEnd(11)} ${value}`
}

function show(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}
