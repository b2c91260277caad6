import type { Context, Hono } from 'hono'
import { authorize } from '../access.ts'
import type { ArmContext, ArmVariables } from '../context.ts'
import { ArmError } from '../error.ts'
import { REGIONS } from '../providers/attestation.ts'

const SUBSCRIPTION = '/subscriptions/:subscription/providers/microsoft.attestation'

/**
 * The shared attestation provider of each region (Microsoft.Attestation 2020-10-01, "Get Default By Location" and
 * "List Default"): what `az keyvault key create --default-cvm-policy` takes for the authority.
 */
export function attestationDefaultRoutes(app: Hono<ArmVariables>, { ctx, authorizer }: ArmContext): void {
  const allow = (c: Context<ArmVariables>) => {
    const scope = `/subscriptions/${c.get('address').subscriptionId}`
    authorize(ctx, authorizer, c.get('caller'), 'Microsoft.Attestation/attestationProviders/read', scope)
  }
  app.get(`${SUBSCRIPTION}/defaultproviders`, (c) => {
    allow(c)
    return c.json({ systemContext: '', value: Object.entries(REGIONS).map(([location, code]) => view(location, code)) })
  })
  app.get(`${SUBSCRIPTION}/locations/:location/defaultprovider`, (c) => {
    allow(c)
    const asked = c.req.param('location')
    const location = asked.replaceAll(' ', '').toLowerCase()
    const code = Object.hasOwn(REGIONS, location) ? REGIONS[location] : undefined
    if (code === undefined) {
      throw new ArmError(404, { code: 'NotFound', message: `There is no default attestation provider in '${asked}'.` })
    }
    return c.json(view(location, code))
  })
}

function view(location: string, code: string) {
  const name = `shared${code}`
  return {
    id: `/providers/Microsoft.Attestation/attestationProviders/${name}`,
    location,
    name,
    properties: { attestUri: `https://${name}.${code}.attest.azure.net`, status: 'Ready', trustModel: 'AAD' },
    type: 'Microsoft.Attestation/attestationProviders',
  }
}
