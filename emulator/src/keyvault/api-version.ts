import { badParameter } from './errors.ts'

/** The newest generally available version, named where an unusable one is refused. */
const LATEST = '2026-04-01'

const NUMBERED = /^(\d+)\.(\d+)(-preview(\.\d+)?)?$/
const DATED = /^\d{4}-\d{2}-\d{2}(-preview)?$/

/**
 * The version a request asked for. A version that this emulator has never heard of is taken as the newest it knows (a
 * client may be younger than it); something that is no version at all is refused as Azure does.
 */
export function readApiVersion(query: URLSearchParams): string {
  const version = query.get('api-version')
  if (version === null || version === '') {
    // The next link of a managed HSM's list carries no version.
    if (query.has('$skiptoken')) return LATEST
    throw badParameter('The api-version query parameter is required.')
  }
  if (NUMBERED.test(version) || DATED.test(version)) return version
  throw badParameter(
    `The specified version (${version}) is not recognized. Consider using the latest supported version (${LATEST}).`,
  )
}

/** Whether a version is `7.minor` (previews included) or later; every dated version is later than every numbered one. */
export function isAtLeast7(version: string, minor: number): boolean {
  const numbered = NUMBERED.exec(version)
  if (numbered === null) return !version.startsWith('2015') && !version.startsWith('2016')
  const major = Number(numbered[1])
  return major > 7 || (major === 7 && Number(numbered[2]) >= minor)
}
