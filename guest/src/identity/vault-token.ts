import { reasonOf } from '../http/upstream.ts'

/** A token for the vault could not be had. The message is the identity service's own first line, without tokens. */
export class IdentityError extends Error {
  readonly code = 'ERR_IDENTITY'

  constructor(message: string, cause: unknown) {
    super(message, { cause })
    this.name = 'IdentityError'
  }
}

/** Gives access tokens, as every credential of `@azure/identity` does. */
export interface TokenSource {
  /** @param scope such as `https://vault.azure.net/.default` */
  getToken(scope: string, options?: { abortSignal?: AbortSignal }): Promise<{ readonly token: string } | null>
  /** Loads what the first token needs, ahead of it. */
  prepare?(): void
}

export interface VaultCredentialOptions {
  readonly env?: Readonly<Record<string, string | undefined>>
  /** Which user-assigned identity, where the group has several. */
  readonly clientId?: string
}

/** An identity service that says nothing must not hold a release for good. */
const TIME_LIMIT_MS = 20_000

/**
 * The identity of this container: workload identity when AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_FEDERATED_TOKEN_FILE
 * are all set (AKS), else the managed identity that the instance metadata service hands out. `@azure/identity` takes a
 * quarter of a second to load, so it is loaded at first use.
 */
export function createVaultCredential(options: VaultCredentialOptions = {}): TokenSource {
  const { env = process.env, clientId } = options
  let credential: Promise<TokenSource> | undefined
  const load = async (): Promise<TokenSource> => {
    const { ManagedIdentityCredential, WorkloadIdentityCredential } = await import('./credentials.ts')
    const { AZURE_CLIENT_ID, AZURE_TENANT_ID, AZURE_FEDERATED_TOKEN_FILE } = env
    if (AZURE_CLIENT_ID && AZURE_TENANT_ID && AZURE_FEDERATED_TOKEN_FILE) {
      return new WorkloadIdentityCredential({
        clientId: AZURE_CLIENT_ID,
        tenantId: AZURE_TENANT_ID,
        tokenFilePath: AZURE_FEDERATED_TOKEN_FILE,
      })
    }
    return clientId === undefined ? new ManagedIdentityCredential() : new ManagedIdentityCredential({ clientId })
  }
  const loaded = () => {
    credential ??= load()
    return credential
  }
  return {
    getToken: async (scope, getOptions) => (await loaded()).getToken(scope, getOptions),
    // What fails here fails again, and is reported, when a token is asked for.
    prepare: () => void loaded().catch(() => undefined),
  }
}

/**
 * An access token for a vault or a managed HSM; which of the two the host name says.
 * @throws IdentityError
 */
export async function vaultToken(source: TokenSource, vaultHost: string): Promise<string> {
  const scope = vaultHost.includes('managedhsm')
    ? 'https://managedhsm.azure.net/.default'
    : 'https://vault.azure.net/.default'
  try {
    const token = await source.getToken(scope, { abortSignal: AbortSignal.timeout(TIME_LIMIT_MS) })
    if (!token?.token) throw new Error('the identity service gave no token')
    return token.token
  } catch (cause) {
    const [line = ''] = reasonOf(cause).split('\n')
    throw new IdentityError(`no access token for ${scope}: ${line}`, cause)
  }
}
