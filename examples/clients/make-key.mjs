// Makes a key that leaves the vault for an attested guest and for nobody else, with the official client.
// In a shell that ran: eval "$(skerry env)"
import { DefaultAzureCredential } from '@azure/identity'
import { KeyClient } from '@azure/keyvault-keys'

const releasePolicy = {
  version: '1.0.0',
  anyOf: [
    {
      authority: 'https://sharedweu.weu.attest.azure.net',
      allOf: [
        { claim: 'x-ms-attestation-type', equals: 'sevsnpvm' },
        { claim: 'x-ms-compliance-status', equals: 'azure-compliant-uvm' },
        { claim: 'x-ms-sevsnpvm-is-debuggable', equals: 'false' },
      ],
    },
  ],
}

const client = new KeyClient('https://skerry.vault.azure.net', new DefaultAzureCredential())
const key = await client.createRsaKey('my-key', {
  hsm: true,
  keySize: 2048,
  keyOps: ['encrypt', 'decrypt'],
  exportable: true,
  releasePolicy: { encodedPolicy: Buffer.from(JSON.stringify(releasePolicy)) },
})
console.log(key.id)
