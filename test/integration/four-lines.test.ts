import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { ClientSecretCredential } from '@azure/identity'
import { KeyClient } from '@azure/keyvault-keys'
import { skerryHandlers } from '@skerry/emulator/msw'
import { setupServer } from 'msw/node'
import { afterAll, describe, expect, it } from 'vitest'
import { TEST_CACHE_HOME } from '../../emulator/src/core/test-context.ts'
import { ROOT } from '../support/skerry.ts'

process.env.XDG_CACHE_HOME = TEST_CACHE_HOME

// What a unit test of somebody's own code adds, to the letter of emulator/README.md.
const azure = skerryHandlers({ seedDocument: { vaults: [{ name: 'contoso', resourceGroup: 'tests' }] } })
setupServer(...azure.handlers).listen()
const { tenantId, admin } = azure.seed
// biome-ignore format: one line, as it stands in the README
const keys = new KeyClient('https://contoso.vault.azure.net', new ClientSecretCredential(tenantId, admin.clientId, admin.clientSecret))

afterAll(() => azure.close())

describe('the door in process', () => {
  it('is reached by the official clients in the four lines of the README', async () => {
    const { id } = await keys.createEcKey('mine')
    expect((await keys.getKey('mine')).id).toBe(id)
  })

  it('is shown by the README in these four lines', () => {
    const readme = readFileSync(join(ROOT, 'emulator/README.md'), 'utf8')
    const [, block = ''] = /### 3\. In process.*?```ts\n(.*?)```/s.exec(readme) ?? []
    const lines = block.trim().split('\n')
    expect(lines).toHaveLength(4)
    const here = readFileSync(fileURLToPath(import.meta.url), 'utf8').split('\n')
    for (const line of lines) expect(here).toContain(line)
  })
})
