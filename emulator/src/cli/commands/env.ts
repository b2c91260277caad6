import { mkdirSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { SECURITY_CONTEXT_DIR_VARIABLE } from '@skerry/guest/wire'
import type { Command } from 'commander'
import { connectInstance } from '../../control/client.ts'
import { findInstance, type InstanceInfo } from '../../control/instance.ts'
import { clientEnvironment } from '../../doors/environment.ts'

interface EnvFlags {
  readonly data?: string
  readonly json?: true
  readonly appService?: true
}

export function describeEnv(program: Command): void {
  program
    .command('env')
    .description('print shell exports that lead clients to the running instance')
    .option('--data <dir>', 'the instance of this data directory, when several run')
    .option('--app-service', 'as for an app in App Service: its managed identity instead of the administrator')
    .option('--json', 'print a JSON object instead')
    .addHelpText(
      'after',
      `
Examples:
  eval "$(skerry env)"               then curl, Go, Python and Node programs of this shell use the emulator
  skerry env --app-service           ManagedIdentityCredential finds the token service of App Service and Functions
  skerry env --json                  for programs that start programs

What is set: the proxy (HTTPS_PROXY, HTTP_PROXY, NO_PROXY, NODE_USE_ENV_PROXY), the certificate authority
(NODE_EXTRA_CA_CERTS, SSL_CERT_FILE, REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE), the administrator's credentials
(AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET, AZURE_SUBSCRIPTION_ID) and the security context
(UVM_SECURITY_CONTEXT_DIR). With --app-service: IDENTITY_ENDPOINT, IDENTITY_HEADER and their older names MSI_ENDPOINT,
MSI_SECRET in the place of AZURE_CLIENT_ID and AZURE_CLIENT_SECRET.`,
    )
    .action(printEnvironment)
}

async function printEnvironment(flags: EnvFlags): Promise<void> {
  const info = findInstance(flags.data && resolve(flags.data))
  const environment = flags.appService ? asAppService(info) : instanceEnvironment(info)
  const variables = { ...environment, [SECURITY_CONTEXT_DIR_VARIABLE]: await writeContext(info) }
  process.stdout.write(flags.json ? `${JSON.stringify(variables, null, 2)}\n` : shellExports(variables))
}

/** What `skerry up` gives its clients, from the word it left. */
export function instanceEnvironment({ proxy, ca, credentials }: InstanceInfo): Record<string, string> {
  const { tenantId, subscriptionId, clientId, clientSecret } = credentials
  const seed = { tenantId, subscriptionId, admin: { clientId, clientSecret, objectId: '' } }
  return clientEnvironment({ proxyUrl: proxy, caFile: ca, seed })
}

/** DefaultAzureCredential takes the administrator's credentials first, where they are set. */
function asAppService(info: InstanceInfo): Record<string, string> {
  const { AZURE_CLIENT_ID: _id, AZURE_CLIENT_SECRET: _secret, ...rest } = instanceEnvironment(info)
  return { ...rest, ...info.appService }
}

/** POSIX shell: single quotes, in which only a single quote is special. */
export function shellExports(variables: Readonly<Record<string, string>>): string {
  return Object.entries(variables)
    .map(([name, value]) => `export ${name}='${value.replaceAll("'", `'\\''`)}'\n`)
    .join('')
}

/** The directory has the name that the guest agent gives it, and holds the certificates of now. */
async function writeContext(info: InstanceInfo): Promise<string> {
  using client = connectInstance(info)
  const directory = join(info.data, 'security-context-0')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  for (const [name, content] of Object.entries(await client.securityContext())) {
    writeFileSync(join(directory, name), content, { mode: 0o600 })
  }
  return directory
}
