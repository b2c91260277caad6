/** A valid body of `POST /api/deployments`, made small; each test breaks one thing of it. */
export const SUBSCRIPTION = '11111111-2222-3333-4444-555555555555'
export const POLICY_TEXT = 'package policy\n\napi_version := "0.10.0"\n'

export interface TestBody {
  [member: string]: unknown
  template: { resources: TestGroup[]; parameters?: Record<string, unknown> }
  importKeyConfig: { key: Record<string, unknown>; claims: unknown[][]; [member: string]: unknown }
  parameters?: Record<string, unknown>
}

interface TestGroup {
  identity: { type: string; userAssignedIdentities: Record<string, unknown> }
  properties: {
    [member: string]: unknown
    containers: TestContainer[]
    confidentialComputeProperties: { ccePolicy?: string }
  }
  [member: string]: unknown
}

interface TestContainer {
  name: string
  properties: { image: string; environmentVariables: Record<string, unknown>[]; [member: string]: unknown }
}

export function deploymentBody(): TestBody {
  return {
    name: 'skr-demo',
    resourceGroup: 'rg',
    location: 'westeurope',
    template: {
      resources: [
        {
          type: 'Microsoft.ContainerInstance/containerGroups',
          apiVersion: '2023-05-01',
          name: 'skr-demo',
          identity: {
            type: 'UserAssigned',
            userAssignedIdentities: {
              "[resourceId('Microsoft.ManagedIdentity/userAssignedIdentities', 'skr-identity')]": {},
            },
          },
          properties: {
            sku: 'Confidential',
            confidentialComputeProperties: { ccePolicy: Buffer.from(POLICY_TEXT).toString('base64') },
            containers: [
              { name: 'sidecar', properties: { image: 'mcr.microsoft.com/aci/skr:2.12', environmentVariables: [] } },
              {
                name: 'client',
                properties: {
                  image: 'mcr.microsoft.com/aci/skr:2.12',
                  environmentVariables: [
                    { name: 'SkrClientKID', value: 'app-key' },
                    { name: 'SkrClientAKVEndpoint', value: 'skerry-demo.vault.azure.net' },
                    { name: 'SkrClientMAAEndpoint', value: 'sharedweu.weu.attest.azure.net' },
                  ],
                },
              },
            ],
          },
        },
      ],
    },
    importKeyConfig: {
      key: {
        kid: 'app-key',
        kty: 'RSA-HSM',
        authority: { endpoint: 'sharedweu.weu.attest.azure.net' },
        akv: { endpoint: 'skerry-demo.vault.azure.net', api_version: 'api-version=7.4' },
      },
      claims: [[{ claim: 'x-ms-sevsnpvm-hostdata', equals: '<hash-digest-of-the-security-policy>' }]],
    },
  }
}
