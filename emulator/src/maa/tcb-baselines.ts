import type { AttestationType } from './attestation-types.ts'
import { evaluateConfiguration } from './policy/evaluate.ts'
import type { Policy } from './policy/syntax.ts'

/*
 * TCB baselines of SGX. Source: Azure REST API specification, attestation data plane, 2022-09-01-preview, and Microsoft
 * Learn, "Custom TCB baseline enforcement for SGX attestation".
 */

export interface TcbBaseline {
  readonly tcbEvaluationDataNumber: string
  readonly tcbReleaseDate: string
  readonly minimumPswLinuxVersion: string
  readonly minimumPswWindowsVersion: string
}

const baseline = (number: string, date: string, linux: string, windows: string): TcbBaseline => ({
  tcbEvaluationDataNumber: number,
  tcbReleaseDate: `${date}T00:00:00`,
  minimumPswLinuxVersion: linux,
  minimumPswWindowsVersion: windows,
})

const BASELINES: readonly TcbBaseline[] = [
  baseline('15', '2023-02-14', '2.17', '2.16'),
  baseline('14', '2022-11-08', '2.17', '2.16'),
  baseline('13', '2022-08-09', '2.17', '2.16'),
  baseline('12', '2021-11-10', '2.13.3', '2.13.100.2'),
  baseline('11', '2021-06-09', '2.13.3', '2.13.100.2'),
  baseline('10', '2020-11-11', '2.9', '2.7.101.2'),
]

const DEFAULT: TcbBaseline = { ...BASELINES.at(-1)!, tcbEvaluationDataNumber: 'azuredefault (Currently 10)' }

/** All that can be chosen, or the one that a policy has chosen; none for anything but SGX. */
export function tcbBaselines(
  type: AttestationType,
  chosenBy?: { readonly policy: Policy | undefined },
): { tcbBaselines: readonly TcbBaseline[] } {
  if (type !== 'SgxEnclave' && type !== 'OpenEnclave') return { tcbBaselines: [] }
  if (chosenBy === undefined) return { tcbBaselines: [DEFAULT, ...BASELINES] }
  const chosen = chosenBy.policy && evaluateConfiguration(chosenBy.policy).get('x-ms-sgx-tcbidentifier')
  return { tcbBaselines: [BASELINES.find((one) => one.tcbEvaluationDataNumber === chosen) ?? DEFAULT] }
}
