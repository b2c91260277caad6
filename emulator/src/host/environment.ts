import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { HostError, messageOf } from './errors.ts'

/** The environment of the app's thread: what was given, then the app's local settings, then what the platform sets. */
export function appEnvironment(
  given: Readonly<Record<string, string | undefined>>,
  local: LocalSettings,
  platform: { readonly appDir: string; readonly hostName: string },
): Record<string, string> {
  const env: Record<string, string> = { ...local.values }
  for (const [name, value] of Object.entries(given)) if (value !== undefined) env[name] = value
  // The durable client and the library talk to this host over loopback: never through a proxy.
  const noProxy = new Set(
    (env.NO_PROXY ?? env.no_proxy ?? '')
      .split(',')
      .map((entry) => entry.trim())
      .filter(Boolean),
  )
  for (const host of ['127.0.0.1', 'localhost']) noProxy.add(host)
  env.NO_PROXY = [...noProxy].join(',')
  env.no_proxy = env.NO_PROXY
  env.WEBSITE_HOSTNAME = platform.hostName
  env.FUNCTIONS_WORKER_RUNTIME = 'node'
  env.AzureWebJobsScriptRoot = platform.appDir
  env.AZURE_FUNCTIONS_ENVIRONMENT ??= 'Development'
  return env
}

export interface LocalSettings {
  readonly values: Readonly<Record<string, string>>
  readonly port: number | undefined
}

/** `local.settings.json` beside host.json, as Core Tools reads it; an encrypted one is refused. */
export function readLocalSettings(appDir: string): LocalSettings {
  const file = join(appDir, 'local.settings.json')
  if (!existsSync(file)) return { values: {}, port: undefined }
  let root: {
    IsEncrypted?: boolean
    Values?: Record<string, unknown>
    ConnectionStrings?: Record<string, unknown>
    Host?: { LocalHttpPort?: number }
  }
  try {
    root = JSON.parse(readFileSync(file, 'utf8'))
  } catch (error) {
    throw new HostError('ERR_HOST_CONFIG', `${file} is not JSON: ${messageOf(error)}`)
  }
  if (root.IsEncrypted !== false)
    throw new HostError(
      'ERR_HOST_CONFIG',
      `${file}: "IsEncrypted" must be false; encrypted settings are not covered by this host`,
    )
  const values: Record<string, string> = {}
  for (const [name, value] of Object.entries(root.Values ?? {})) values[name] = String(value)
  for (const [name, value] of Object.entries(root.ConnectionStrings ?? {}))
    values[`ConnectionStrings:${name}`] = String(value)
  return { values, port: root.Host?.LocalHttpPort }
}
