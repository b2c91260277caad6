import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { ClientAssertionCredential, ClientCertificateCredential, ManagedIdentityCredential } from '@azure/identity'
import { SignJWT } from 'jose'
import { describe, expect, it } from 'vitest'
import { testCertificate } from '../../../emulator/src/entra/test-clients.ts'
import { ensureApplication, ensureIssuer } from '../../../emulator/src/index.ts'
import { assignLocally, roles } from './roles.ts'
import { AT_ONCE, administratorOf, type Kind, type Place, type Program, programIn, refusal } from './world.ts'

/** The role that may do everything with keys and nothing else. */
const CRYPTO_USER = {
  vault: '12338af0-0e69-4776-bea7-57ae8d297424',
  managedHsm: '21dbd100-6940-42c2-9190-5d6cb909625b',
}
const RELEASE_USER = {
  vault: '08bbd89e-9f13-488c-ac41-acfcb10c90ab',
  managedHsm: '21dbd100-6940-42c2-9190-5d6cb909625c',
}

const CRYPTO_AUDITOR = '2c18b078-7c48-4d3a-af88-5a3a1b3f82b3'

/** Who may: every way to sign in, and the roles that a program is given and loses. */
export function access(place: () => Place, kind: Kind): void {
  /** Resolves to how it is taken back. `key`: at that key only. */
  async function assign(role: string, principalId: string, key?: string): Promise<() => Promise<unknown>> {
    const here = place()
    if (!here.isVault) {
      const scope = key === undefined ? '' : `/keys/${key}`
      const name = await assignLocally(here, role, principalId, scope)
      const path = `${scope}/providers/Microsoft.Authorization/roleAssignments/${name}?api-version=7.4`
      return async () => expect((await here.raw('DELETE', path)).status).toBe(200)
    }
    const { client, scope: vault } = roles(here)
    const scope = key === undefined ? vault : `${vault}/keys/${key}`
    const roleDefinitionId = `/providers/Microsoft.Authorization/roleDefinitions/${role}`
    const { id } = await client.roleAssignments.create(scope, randomUUID(), { roleDefinitionId, principalId })
    return () => client.roleAssignments.deleteById(id!)
  }
  const madeKey = async () => (await place().client.createEcKey(place().fresh())).name
  const denied = (action: string) =>
    place().isVault
      ? refusal(place(), 403, 'Forbidden', 'ForbiddenByRbac', `Action: 'Microsoft.KeyVault/vaults/keys/${action}'`)
      : refusal(place(), 403, 'AccessDenied', undefined, `Microsoft.KeyVault/managedHsm/keys/${action}`)
  const READ = kind === 'vault' ? 'read' : 'read/action'

  describe('a program', () => {
    it('may do nothing until it has a role, and the refusal names the action', async () => {
      const { world, clientWith } = place()
      const { credential, objectId } = programIn(world, 'program')
      const name = await madeKey()
      await expect(clientWith({ credential }).getKey(name)).rejects.toMatchObject(denied(READ))
      const takeBack = await assign(CRYPTO_USER[kind], objectId)
      expect((await clientWith({ credential }).getKey(name)).name).toBe(name)
      await takeBack()
      await expect(clientWith({ credential }).getKey(name)).rejects.toMatchObject(denied(READ))
    })

    it('with a role at one key has that key', async () => {
      const { world, clientWith } = place()
      const { credential, objectId } = programIn(world, 'program of one key')
      const [mine, other] = [await madeKey(), await madeKey()]
      await assign(CRYPTO_USER[kind], objectId, mine)
      const client = clientWith({ credential })
      expect((await client.getKey(mine)).name).toBe(mine)
      await expect(client.getKey(other)).rejects.toMatchObject(denied(READ))
    })

    it('that may release keys may not read them', async () => {
      const { world, clientWith } = place()
      const { credential, objectId } = programIn(world, 'releaser')
      const name = await madeKey()
      await assign(RELEASE_USER[kind], objectId)
      const client = clientWith({ credential })
      await expect(client.getKey(name)).rejects.toMatchObject(denied(READ))
      // Past the question who may: the key is not exportable.
      await expect(client.releaseKey(name, 'x.y.z')).rejects.toMatchObject({
        code: 'Forbidden',
        message: expect.stringContaining('Operation release'),
      })
    })
  })

  if (kind === 'managedHsm') {
    describe('on a managed HSM', () => {
      it('random bytes are for those who may use keys', async () => {
        const { world, clientWith } = place()
        const { credential, objectId } = programIn(world, 'dicer')
        await assign(RELEASE_USER[kind], objectId)
        await expect(clientWith({ credential }).getRandomBytes(8)).rejects.toMatchObject({ code: 'AccessDenied' })
        await assign(CRYPTO_USER[kind], objectId)
        expect(await clientWith({ credential }).getRandomBytes(8)).toHaveLength(8)
      })

      it('an auditor reads keys and purges none', async () => {
        const { world, client, clientWith } = place()
        const { credential, objectId } = programIn(world, 'auditor')
        await assign(CRYPTO_AUDITOR, objectId)
        const name = await madeKey()
        expect((await clientWith({ credential }).getKey(name)).name).toBe(name)
        await client.beginDeleteKey(name, AT_ONCE)
        await expect(clientWith({ credential }).purgeDeletedKey(name)).rejects.toMatchObject(
          denied('deletedKeys/delete'),
        )
      })
    })
  }

  describe('a program signs in', () => {
    const works = async (credential: Program['credential'], objectId: string) => {
      const name = await madeKey()
      await assign(CRYPTO_USER[kind], objectId)
      expect((await place().clientWith({ credential }).getKey(name)).name).toBe(name)
    }

    it('with a certificate', async () => {
      const { options, emulator } = place().world
      const { context } = emulator
      const certificate = await testCertificate(context, 'conformance')
      const app = ensureApplication(context, { displayName: `certificate ${kind}`, certificates: [certificate.pem] })
      const pem = { certificate: `${certificate.privatePem}\n${certificate.pem}` }
      const credential = new ClientCertificateCredential(context.seed.tenantId, app.clientId, pem, options)
      await works(credential, app.objectId)
    })

    it('with the token of a cluster', async () => {
      const { options, emulator } = place().world
      const { context } = emulator
      const [issuer, subject, audience] = ['https://cluster.example', 'system:app', 'api://AzureADTokenExchange']
      const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      ensureIssuer(context, { issuer, keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k' }] })
      const federatedCredentials = [{ name: 'cluster', issuer, subject, audiences: [audience] }]
      const app = ensureApplication(context, { displayName: `cluster ${kind}`, federatedCredentials })
      const assertion = () =>
        new SignJWT({ iss: issuer, sub: subject, aud: audience })
          .setProtectedHeader({ alg: 'RS256', kid: 'k' })
          .setIssuedAt()
          .setExpirationTime('5m')
          .sign(privateKey)
      await works(new ClientAssertionCredential(context.seed.tenantId, app.clientId, assertion, options), app.objectId)
    })

    it('as a managed identity', async () => {
      const { options, emulator } = place().world
      const { seed } = emulator.context
      const id = `/subscriptions/${seed.subscriptionId}/resourceGroups/conformance/providers/Microsoft.ManagedIdentity/userAssignedIdentities/app`
      const { clientId, objectId } = await identityOf(place(), id)
      await works(new ManagedIdentityCredential({ clientId, ...options }), objectId)
    })
  })
}

/** What Resource Manager says of a managed identity. */
async function identityOf({ world }: Place, id: string): Promise<{ clientId: string; objectId: string }> {
  const { token } = (await administratorOf(world).getToken('https://management.azure.com/.default'))!
  const answer = await world.fetch(`https://management.azure.com${id}?api-version=2023-01-31`, {
    headers: { authorization: `Bearer ${token}` },
  })
  const { properties } = (await answer.json()) as { properties: { clientId: string; principalId: string } }
  return { clientId: properties.clientId, objectId: properties.principalId }
}
