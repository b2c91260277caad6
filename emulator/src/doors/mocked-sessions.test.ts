import { createPrivateKey, generateKeyPairSync } from 'node:crypto'
import https from 'node:https'
import { HttpResponse, http } from 'msw'
import { setupServer } from 'msw/node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { keepMockedSessionsFromOpenssl } from './mocked-sessions.ts'

const server = setupServer(http.all('*', () => HttpResponse.text('answered')))
beforeAll(() => server.listen())
afterAll(() => server.close())

it('reads private keys while clients connect again with the session that MSW gave them', async () => {
  const pem = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' })
  keepMockedSessionsFromOpenssl()
  const agent = new https.Agent()
  for (let connection = 0; connection < 3; connection++) {
    await new Promise<void>((done) => {
      const sent = https.request('https://contoso.vault.azure.net/', { agent }, (answer) =>
        answer.resume().on('end', done),
      )
      expect(createPrivateKey(pem).asymmetricKeyType).toBe('ec')
      sent.end()
    })
  }
})
