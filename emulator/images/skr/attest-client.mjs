// The attestation clients of the SKR example (`/tests/skr/attest_client.sh`): without AttestClientMAAEndpoint they ask
// the sidecar for a raw report and for the combined evidence, with it for a token. One line for each answer: a token is
// never printed, only what it says.
import { ask, oneLine, repeat, secondsFrom, waitForSidecar } from './sidecar-api.mjs'

const SHOWN_CLAIMS = [
  'iss',
  'x-ms-attestation-type',
  'x-ms-compliance-status',
  'x-ms-sevsnpvm-hostdata',
  'x-ms-sevsnpvm-is-debuggable',
  'x-ms-sevsnpvm-vmpl',
]

const { AttestClientMAAEndpoint: maaEndpoint, AttestClientRuntimeData } = process.env
const runtimeData = AttestClientRuntimeData || Buffer.from('{"keys":[]}').toString('base64')

await waitForSidecar()
await repeat(secondsFrom('AttestClientInterval', 5), maaEndpoint ? attestByService : attestLocally)

async function attestLocally() {
  const raw = await ask('/attest/raw', { runtime_data: runtimeData })
  print('raw', raw, () => `report=${raw.report.length / 2} bytes`)
  const combined = await ask('/attest/combined', { runtime_data: runtimeData })
  print('combined', combined, () => {
    const size = (name) => `${name}=${Buffer.from(combined[name], 'base64').length} bytes`
    return `${size('evidence')} ${size('endorsements')} ${size('uvm_endorsements')} endorsed_tcb=${combined.endorsed_tcb}`
  })
}

async function attestByService() {
  const answer = await ask('/attest/maa', { maa_endpoint: maaEndpoint, runtime_data: runtimeData })
  print('maa', answer, () => {
    const claims = JSON.parse(Buffer.from(answer.token.split('.')[1], 'base64url').toString('utf8'))
    const tee = claims['x-ms-isolation-tee'] ?? claims
    return SHOWN_CLAIMS.map((name) => `${name}=${claims[name] ?? tee[name]}`).join(' ')
  })
}

function print(what, answer, details) {
  const { status, error } = answer
  try {
    if (status === 200) console.log(`attest ${what} status=200 ${details()}`)
    else console.log(`attest ${what} refused status=${status} error=${oneLine(error)}`)
  } catch {
    console.log(`attest ${what} refused status=${status} error=the answer lacks a member`)
  }
}
