/**
 * The app's settings (environment variables, as Azure Functions gives them). An orchestrator never reads them: what it
 * needs is copied into its input when it is started, so that a replay sees what the first run saw.
 */
export interface Settings {
  /** `AZURE_SUBSCRIPTION_ID`: where deployments go. */
  readonly subscriptionId: string
  readonly pace: Pace
  /** `ROTATION_AGE_DAYS`: a key version older than this is due, default 90; 0 makes every key due at every sweep. */
  readonly rotationAgeDays: number
}

/** How patient an orchestration is. Carried in its input. */
export interface Pace {
  /** `POLL_SECONDS`, default 10: between two looks at a deployment, a group or a log. */
  readonly pollSeconds: number
  /** `RUNNING_TIMEOUT_SECONDS`, default 1800: Azure itself gives up on a container group after 30 minutes. */
  readonly runningTimeoutSeconds: number
  /** `PROOF_TIMEOUT_SECONDS`, default 900: how long a running group may take to show that it has the key. */
  readonly proofTimeoutSeconds: number
  /**
   * `PROOF_REFUSALS`, default 30: after so many looks that find the release refused, the proof has failed. Not 1, since
   * a fresh role assignment takes minutes to reach the vault.
   */
  readonly proofRefusals: number
  /** `RETRY_SECONDS`, default 5: before the first repetition of an activity that failed for a passing reason. */
  readonly retrySeconds: number
}

export class SettingError extends Error {
  readonly code = 'ERR_SETTING'
  readonly setting: string

  constructor(setting: string, message: string) {
    super(`app setting ${setting}: ${message}`)
    this.name = 'SettingError'
    this.setting = setting
  }
}

/**
 * @throws SettingError naming the setting that is missing or not a number
 */
export function readSettings(env: Readonly<Record<string, string | undefined>> = process.env): Settings {
  const subscriptionId = env.AZURE_SUBSCRIPTION_ID
  if (!subscriptionId) throw new SettingError('AZURE_SUBSCRIPTION_ID', 'is required')
  return {
    subscriptionId,
    pace: {
      pollSeconds: number(env, 'POLL_SECONDS', 10),
      runningTimeoutSeconds: number(env, 'RUNNING_TIMEOUT_SECONDS', 1800),
      proofTimeoutSeconds: number(env, 'PROOF_TIMEOUT_SECONDS', 900),
      proofRefusals: number(env, 'PROOF_REFUSALS', 30),
      retrySeconds: number(env, 'RETRY_SECONDS', 5),
    },
    rotationAgeDays: number(env, 'ROTATION_AGE_DAYS', 90),
  }
}

function number(env: Readonly<Record<string, string | undefined>>, setting: string, preset: number): number {
  const text = env[setting]
  if (text === undefined || text === '') return preset
  const value = Number(text)
  if (!Number.isFinite(value) || value < 0)
    throw new SettingError(setting, `must be a number not below 0, got '${text}'`)
  return value
}
