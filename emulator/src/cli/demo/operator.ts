import type { Dispatcher, Seed } from '../../core/index.ts'

/**
 * What the person at the keyboard looks up in Azure beside the app: container logs, what is left in a resource group, the
 * deleted keys of a vault. Signs in as the seeded administrator and asks the same services that every client asks.
 */
export class Operator {
  readonly #dispatcher: Dispatcher
  readonly #seed: Seed
  readonly #tokens = new Map<string, string>()

  constructor(dispatcher: Dispatcher, seed: Seed) {
    this.#dispatcher = dispatcher
    this.#seed = seed
  }

  /** The last lines of a container's log; empty when group or container is not there (yet, or any more). */
  async log(groupId: string, container: string): Promise<string[]> {
    const url = `https://management.azure.com${groupId}/containers/${container}/logs?api-version=2023-05-01&tail=400`
    const answer = (await this.#get(url, 'https://management.azure.com')) as { content?: string } | undefined
    return (answer?.content ?? '').split('\n').filter((line) => line !== '')
  }

  async containerNames(groupId: string): Promise<string[]> {
    const group = (await this.#get(
      `https://management.azure.com${groupId}?api-version=2023-05-01`,
      'https://management.azure.com',
    )) as { properties?: { containers?: { name: string }[] } } | undefined
    return group?.properties?.containers?.map(({ name }) => name) ?? []
  }

  /** Ids of everything that ARM still holds in the resource group. */
  async resources(resourceGroup: string): Promise<string[]> {
    const url = `https://management.azure.com/subscriptions/${this.#seed.subscriptionId}/resourceGroups/${resourceGroup}/resources?api-version=2021-04-01`
    const answer = (await this.#get(url, 'https://management.azure.com')) as { value?: { id: string }[] } | undefined
    return answer?.value?.map(({ id }) => id) ?? []
  }

  async deletedKeys(vaultHost: string): Promise<{ kid: string; scheduledPurgeDate?: number }[]> {
    const audience = vaultHost.endsWith('.managedhsm.azure.net')
      ? 'https://managedhsm.azure.net'
      : 'https://vault.azure.net'
    const answer = (await this.#get(`https://${vaultHost}/deletedkeys?api-version=7.4`, audience)) as
      | { value?: { kid: string; scheduledPurgeDate?: number }[] }
      | undefined
    return answer?.value ?? []
  }

  async #get(url: string, audience: string): Promise<unknown> {
    const request = new Request(url, { headers: { authorization: `Bearer ${await this.#token(audience)}` } })
    const response = await this.#dispatcher.dispatch(request, { door: 'process' })
    return response.ok ? await response.json() : undefined
  }

  async #token(audience: string): Promise<string> {
    const known = this.#tokens.get(audience)
    if (known !== undefined) return known
    const { tenantId, admin } = this.#seed
    const request = new Request(`https://login.microsoftonline.com/${tenantId}/oauth2/v2.0/token`, {
      method: 'POST',
      body: new URLSearchParams({
        grant_type: 'client_credentials',
        client_id: admin.clientId,
        client_secret: admin.clientSecret,
        scope: `${audience}/.default`,
      }),
    })
    const response = await this.#dispatcher.dispatch(request, { door: 'process' })
    const { access_token: token } = (await response.json()) as { access_token?: string }
    if (token === undefined)
      throw new Error(`the seeded administrator got no token for ${audience} (${response.status})`)
    this.#tokens.set(audience, token)
    return token
  }
}
