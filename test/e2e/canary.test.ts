import { createPrivateKey, randomBytes } from 'node:crypto'
import { mkdirSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { ContainerInstanceManagementClient } from '@azure/arm-containerinstance'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type DeploymentBody, exampleBody, groupOf } from '../support/example.ts'
import { type Loopback, ownLoopback, TURN_TIMEOUT_MS } from '../support/own-loopback.ts'
import { type HostProcess, startHost, startUp, type Up } from '../support/processes.ts'
import { type Ended, temporaryFolder } from '../support/skerry.ts'
import { bytesNeedle, filesBelow, found, type KeptFile, type Needle, textNeedle } from '../support/traces.ts'

// A secret that is sent is refused and kept nowhere; a key that is released is nowhere but in the vault and the container.
// Canaries go into every place of a request that can hold a secret, two deployments are carried through, and then
// everything that was written or answered is searched.

const folder = temporaryFolder()
const dataDir = join(folder.path, 'azure')
const storeDir = join(folder.path, 'host')
const canaries: Needle[] = []

/** In a place that holds no secret: this one is kept, and shows that the search finds what is there. */
const PLAIN = `plain${randomBytes(12).toString('hex')}`
const plain = textNeedle('plain value', PLAIN)

let loopback: Loopback
let up: Up
let host: HostProcess
/** Everything that any GET answered. */
const answers: string[] = []

/** A text that is found again wherever it gets to. */
function canary(place: string): string {
  const text = `canary${randomBytes(12).toString('hex')}`
  canaries.push(textNeedle(`canary in ${place}`, text))
  return text
}

async function get(path: string): Promise<string> {
  const { text } = await host.call('GET', path)
  answers.push(text)
  return text
}

beforeAll(async () => {
  loopback = await ownLoopback()
  const runtime = join(folder.path, 'run')
  mkdirSync(runtime, { mode: 0o700 })
  up = await startUp(dataDir, runtime)
  host = await startHost(storeDir, up.environment(up.info.proxy))
}, TURN_TIMEOUT_MS)
afterAll(async () => {
  for (const { command } of [host, up]) command.child.kill('SIGKILL')
  folder[Symbol.dispose]()
  await loopback[Symbol.asyncDispose]()
})

const groupsOf = ({ credential, sdkOptions, info }: Up) =>
  new ContainerInstanceManagementClient(credential, info.credentials.subscriptionId, sdkOptions)

async function readLogs(group: string): Promise<void> {
  for (const container of ['skr-sidecar', 'attest-raw', 'attest-maa', 'key-release']) {
    const { content = '' } = await groupsOf(up).containers.listLogs('skerry', group, container)
    expect(content, container).not.toBe('')
    answers.push(content)
  }
}

/** Where groups have no network of their own, one runs at a time. */
async function makeRoom(): Promise<void> {
  await readLogs('rsa')
  await groupsOf(up).containerGroups.stop('skerry', 'rsa')
}

/** Every place of a deployment request that can hold a secret. */
const PLACES: readonly [place: string, plant: (body: DeploymentBody, secret: string) => void][] = [
  ['bearer_token', ({ importKeyConfig }, secret) => Object.assign(importKeyConfig.key.akv, { bearer_token: secret })],
  ['a private RSA key', ({ importKeyConfig }, d) => Object.assign(importKeyConfig.key, { kty: 'RSA', d })],
  ['a prime of an RSA key', ({ importKeyConfig }, p) => Object.assign(importKeyConfig.key, { jwk: { kty: 'RSA', p } })],
  [
    'an EC key',
    ({ importKeyConfig }, d) => Object.assign(importKeyConfig.key, { jwk: { kty: 'EC', crv: 'P-256', d } }),
  ],
  ['a symmetric key', ({ importKeyConfig }, k) => Object.assign(importKeyConfig, { jwk: { kty: 'oct', k } })],
  [
    'a registry password',
    ({ template }, password) =>
      Object.assign(groupOf(template).properties, {
        imageRegistryCredentials: [{ server: 's', username: 'u', password }],
      }),
  ],
  [
    'secureValue',
    ({ template }, secureValue) =>
      groupOf(template).properties.containers[0]!.properties.environmentVariables.push({ name: 'x', secureValue }),
  ],
  [
    'secureValue of an init container',
    ({ template }, SecureValue) =>
      Object.assign(groupOf(template).properties, {
        initContainers: [{ name: 'i', properties: { environmentVariables: [{ name: 'x', SecureValue }] } }],
      }),
  ],
  [
    'a securestring value',
    (body, value) => {
      body.template.parameters = { ...(body.template.parameters as object), secret: { type: 'securestring' } }
      body.parameters = { SECRET: { value } }
    },
  ],
  [
    'a securestring default',
    ({ template }, defaultValue) => {
      template.parameters = { ...(template.parameters as object), secret: { type: 'SecureString', defaultValue } }
    },
  ],
  [
    'a secureObject value',
    (body, value) => {
      body.template.parameters = { ...(body.template.parameters as object), secret: { type: 'secureObject' } }
      body.parameters = { secret: { value: { deep: [value] } } }
    },
  ],
  [
    'a securestring of a nested template',
    ({ template }, value) =>
      template.resources.push({
        type: 'Microsoft.Resources/deployments',
        properties: {
          template: { parameters: { secret: { type: 'securestring' } } },
          parameters: { secret: { value } },
        },
      } as never),
  ],
  [
    'a secure output',
    ({ template }, value) => {
      template.outputs = { secret: { type: 'securestring', value } }
    },
  ],
  [
    'storageAccountKey',
    ({ template }, storageAccountKey) =>
      Object.assign(groupOf(template).properties, {
        volumes: [{ name: 'v', azureFile: { shareName: 's', storageAccountKey } }],
      }),
  ],
  [
    'a secret volume',
    ({ template }, content) =>
      Object.assign(groupOf(template).properties, { volumes: [{ name: 'v', secret: { 'key.pem': content } }] }),
  ],
  [
    'a password in the URL of a repository',
    ({ template }, password) =>
      Object.assign(groupOf(template).properties, {
        volumes: [{ name: 'v', gitRepo: { repository: `https://user:${password}@example.org/r.git` } }],
      }),
  ],
  [
    'workspaceKey',
    ({ template }, workspaceKey) =>
      Object.assign(groupOf(template).properties, {
        diagnostics: { logAnalytics: { workspaceId: 'w', workspaceKey } },
      }),
  ],
  [
    'protectedSettings',
    ({ template }, token) =>
      Object.assign(groupOf(template).properties, {
        extensions: [{ name: 'e', properties: { extensionType: 'kube-proxy', protectedSettings: { token } } }],
      }),
  ],
  [
    'a PEM private key in a plain variable',
    ({ template }, text) =>
      groupOf(template).properties.containers[0]!.properties.environmentVariables.push({
        name: 'x',
        value: `-----BEGIN PRIVATE KEY-----\n${text}\n-----END PRIVATE KEY-----`,
      }),
  ],
]

/** Places where a request must not have anything at all. */
const UNKNOWN: typeof PLACES = [
  ['an unknown field', (body, secret) => Object.assign(body, { colour: secret })],
  ['an unknown field of the configuration', (body, secret) => Object.assign(body.importKeyConfig, { colour: secret })],
  ['an unknown field of a parameter', (body, secret) => Object.assign(body, { parameters: { p: { colour: secret } } })],
  ['a name that is none', (body, secret) => Object.assign(body, { name: `${secret}!` })],
  ['a kty that is none', ({ importKeyConfig }, secret) => Object.assign(importKeyConfig.key, { kty: secret })],
]

describe('a request that brings a secret is refused, and its answer does not repeat it:', () => {
  it.each([...PLACES, ...UNKNOWN])('%s', async (place, plant) => {
    const secret = canary(place)
    const body = exampleBody({ name: 'refused', resourceGroup: 'skerry', vaultHost: 'skerry.vault.azure.net' })
    plant(body, secret)
    const answer = await host.call('POST', '/api/deployments', body)
    expect(answer.status).toBe(400)
    if (!UNKNOWN.some(([unknown]) => unknown === place)) expect(answer.body.code).toBe('ERR_SECRET_IN_REQUEST')
    expect(found(canaries, answer.text)).toEqual([])
  })

  it('in a body that is no JSON, of another type, too large', async () => {
    const bodies: [string, string, string][] = [
      ['malformed JSON', '{"name": CANARY}', 'application/json'],
      ['malformed JSON at its end', '{"password": "CANARY"', 'application/json'],
      ['a text', 'CANARY', 'text/plain'],
      ['a body that is too large', `{"x":"CANARY${'x'.repeat(1_100_000)}"}`, 'application/json'],
    ]
    for (const [place, text, type] of bodies) {
      for (const path of ['deployments', 'keys']) {
        const response = await fetch(`${host.url}/api/${path}`, {
          method: 'POST',
          headers: { 'x-functions-key': host.functionKey, 'content-type': type },
          body: text.replace('CANARY', canary(`${place}, ${path}`)),
        })
        expect(response.ok).toBe(false)
        expect(found(canaries, await response.text())).toEqual([])
      }
    }
  })
})

describe('two deployments that are carried through', () => {
  it('one with a key of a vault, rotated, and one with a key of a managed HSM', async () => {
    const names = { resourceGroup: 'skerry' }
    const rsa = exampleBody({ ...names, name: 'rsa', vaultHost: 'skerry.vault.azure.net' })
    const variables = groupOf(rsa.template).properties.containers[0]!.properties.environmentVariables
    variables.push({ name: 'Plain', value: PLAIN })
    const oct = exampleBody({ ...names, name: 'oct', vaultHost: 'skerry.managedhsm.azure.net', kty: 'oct-HSM' })
    const deploy = async (body: DeploymentBody) => {
      const response = await fetch(`${host.url}/api/deployments?token=${canary('an unused query')}`, {
        method: 'POST',
        headers: {
          'x-functions-key': host.functionKey,
          'content-type': 'application/json',
          authorization: `Bearer ${canary('a header of an accepted request')}`,
          cookie: `session=${canary('a cookie')}`,
          'x-ms-client-request-id': canary('a request id'),
        },
        body: JSON.stringify(body),
      })
      expect(response.status).toBe(202)
      const ended = await host.ended(body.name)
      expect([ended.phase, ended.failure]).toEqual(['Running', undefined])
    }
    await deploy(rsa)
    await host.call('POST', '/api/deployments/rsa/rotate')
    expect((await host.ended('rsa')).rotations).toHaveLength(1)
    if (!loopback.perGroup) await makeRoom()
    await deploy(oct)
  })

  it('and the same secrets in an upgrade and in a key alone, in wrong keys and in queries', async () => {
    const { template, importKeyConfig } = exampleBody({ name: 'rsa', vaultHost: 'skerry.vault.azure.net' })
    groupOf(template).properties.containers[0]!.properties.environmentVariables.push({
      name: 'x',
      secureValue: canary('secureValue of an upgrade'),
    })
    expect((await host.call('POST', '/api/deployments/rsa/upgrade', { template })).status).toBe(400)
    importKeyConfig.key.akv.bearer_token = canary('bearer_token of a key')
    expect((await host.call('POST', '/api/keys', { importKeyConfig, ccePolicy: 'cA==' })).status).toBe(400)
    const wrong = await fetch(`${host.url}/api/deployments?code=${canary('a wrong key in the query')}`, {
      headers: { 'x-functions-key': canary('a wrong key in a header') },
    })
    expect(wrong.status).toBe(401)
    const purge = await host.call('DELETE', `/api/deployments/rsa?purge=${canary('the query purge')}`)
    expect([purge.status, found(canaries, purge.text)]).toEqual([400, []])
  })

  it('are asked for by every address that there is', async () => {
    for (const path of [
      '/api/deployments',
      '/api/deployments/rsa',
      '/api/deployments/oct',
      '/api/deployments/refused',
    ]) {
      await get(path)
    }
    const durable = async (path: string) => {
      const response = await fetch(`${host.url}/runtime/webhooks/durabletask/${path}`, {
        headers: { 'x-functions-key': host.masterKey },
      })
      expect(response.status).toBeLessThan(300)
      const text = await response.text()
      answers.push(text)
      return JSON.parse(text) as { instanceId?: string; entityId?: { name: string; key: string } }[]
    }
    const everything = 'showHistory=true&showHistoryOutput=true&showInput=true'
    const instances = await durable(`instances?${everything}&top=1000`)
    expect(instances.map(({ instanceId }) => instanceId)).toEqual(
      expect.arrayContaining(['deployment-rsa', 'deployment-oct']),
    )
    expect(instances.map(({ instanceId }) => instanceId)).not.toContain('deployment-refused')
    for (const { instanceId } of instances) await durable(`instances/${encodeURIComponent(instanceId!)}?${everything}`)
    for (const { entityId } of await durable('entities?fetchState=true')) {
      await durable(`entities/${entityId!.name}/${entityId!.key}`)
    }
  })

  it('leave their containers’ logs', async () => {
    for (const name of loopback.perGroup ? ['rsa', 'oct'] : ['oct']) await readLogs(name)
  })
})

describe('nowhere of all that was written, answered or said', () => {
  const isKeyStore = ({ path }: KeptFile) => /^state\.sqlite(-wal|-shm)?$/.test(basename(path))
  const everyFile = () => [...filesBelow(dataDir), ...filesBelow(storeDir)]
  let live: KeptFile[]
  /** As they were while the processes lived, write-ahead logs and all, and as they are now. */
  let files: KeptFile[]
  let spoken: string[]

  beforeAll(async () => {
    live = everyFile()
    const ends: Ended[] = []
    for (const { command } of [host, up]) {
      command.child.kill('SIGTERM')
      ends.push(await command.ended)
    }
    expect(ends.map(({ code }) => code)).toEqual([0, 0])
    files = [...live, ...everyFile()]
    spoken = [...answers, ...ends.flatMap(({ stdout, stderr }) => [stdout, stderr])]
  })

  it('is anything that another user of the machine can read', () => {
    expect(live.map(({ path }) => basename(path))).toEqual(
      expect.arrayContaining(['state.sqlite', 'journal.jsonl', 'Skerry.sqlite', 'Skerry.sqlite-wal']),
    )
    for (const folderOfOurs of [dataDir, storeDir]) expect(statSync(folderOfOurs).mode & 0o777).toBe(0o700)
    // What a group's programs read of their surroundings (host names and the like) lies in a folder of its own, closed too.
    const surroundings = /\/skerry-run-[^/]+\//
    for (const { path, mode } of files) if (!surroundings.test(path)) expect(mode, path).toBe(0o600)
  })

  it('is a canary, while what is no secret is found where it is kept', () => {
    expect(canaries.length).toBeGreaterThan(35)
    for (const { path, content } of files) expect(found(canaries, content), path).toEqual([])
    for (const text of spoken) expect(found(canaries, text)).toEqual([])
    const holders = files.filter(({ content }) => found([plain], content).length > 0)
    expect(holders.map(({ path }) => basename(path))).toEqual(expect.arrayContaining(['Skerry.sqlite', 'state.sqlite']))
    expect(spoken.some((text) => found([plain], text).length > 0)).toBe(true)
  })

  it('is a part of a released key, but in the store of the vault itself', () => {
    const needles = keyNeedles(join(dataDir, 'state.sqlite'))
    expect(needles.map(({ name }) => name.replace(/ of .*/, ''))).toEqual(
      expect.arrayContaining(['d', 'p', 'q', 'dp', 'dq', 'qi', 'k']),
    )
    const inStore = files.filter(isKeyStore).flatMap(({ content }) => found(needles, content))
    expect(new Set(inStore)).toEqual(new Set(needles.map(({ name }) => name)))
    for (const file of files) if (!isKeyStore(file)) expect(found(needles, file.content), file.path).toEqual([])
    for (const text of spoken) expect(found(needles, text)).toEqual([])
  })

  it('is a token', () => {
    const token = /eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}/
    expect(token.test('"eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJ4In0.c2lnbmF0dXJl"')).toBe(true)
    for (const { path, content } of files) expect(token.test(content.toString('latin1')), path).toBe(false)
    for (const text of spoken) expect(token.test(text)).toBe(false)
  })

  it('is the secret of the app’s own principal, but where the emulator keeps and tells it', () => {
    const { info } = up
    const needles = [
      textNeedle('client secret', info.credentials.clientSecret),
      textNeedle('proxy credential', decodeURIComponent(new URL(info.proxy).password)),
    ]
    const allowed = (file: KeptFile) => isKeyStore(file) || /^(seed|instance)\.json$/.test(basename(file.path))
    for (const file of files) if (!allowed(file)) expect(found(needles, file.content), file.path).toEqual([])
    for (const text of answers) expect(found(needles, text)).toEqual([])
  })
})

/** The secret members of every key version, as the vault keeps them. */
function keyNeedles(store: string): Needle[] {
  const db = new DatabaseSync(store, { readOnly: true })
  try {
    const rows = db.prepare("SELECT key, value FROM documents WHERE collection = 'keyvault.material'").all()
    return rows.flatMap(({ key, value }) => {
      const { form, data } = JSON.parse(value as string) as { form: 'pkcs8' | 'raw'; data: string }
      const bytes = Buffer.from(data, 'base64')
      if (form === 'raw') return [bytesNeedle(`k of ${key}`, bytes)]
      const jwk = createPrivateKey({ key: bytes, format: 'der', type: 'pkcs8' }).export({ format: 'jwk' })
      return (['d', 'p', 'q', 'dp', 'dq', 'qi'] as const).map((member) =>
        bytesNeedle(`${member} of ${key}`, Buffer.from(jwk[member]!, 'base64url')),
      )
    })
  } finally {
    db.close()
  }
}
