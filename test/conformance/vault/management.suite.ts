import { KeyVaultManagementClient } from '@azure/arm-keyvault'
import { describe, expect, it } from 'vitest'
import { until } from '../../support/until.ts'
import { assignLocally } from './roles.ts'
import { administratorOf, all, type Kind, type Place, placeOf, programIn } from './world.ts'

const CRYPTO_USER = '21dbd100-6940-42c2-9190-5d6cb909625b'
const FAST = { updateIntervalInMs: 1 }

/** Vaults and managed HSMs are made, changed and deleted through Resource Manager, and the client of keys feels it. */
export function management(place: () => Place, kind: Kind): void {
  const client = () => {
    const { world } = place()
    const { subscriptionId } = world.emulator.context.seed
    return new KeyVaultManagementClient(administratorOf(world), subscriptionId, { ...world.options })
  }
  const tenantId = () => place().world.emulator.context.seed.tenantId
  const adminId = () => place().world.emulator.context.seed.admin.objectId

  /** What takes Resource Manager seconds takes seconds of the emulator's time. */
  async function soon<T>(work: Promise<T>): Promise<T> {
    let over = false
    const end = () => {
      over = true
    }
    work.then(end, end)
    await until(async () => {
      await place().world.emulator.advance(1000)
      return over
    })
    return await work
  }

  if (kind === 'vault') {
    const make = (name: string, properties: object = {}) =>
      soon(
        client().vaults.createOrUpdate(
          'conformance',
          name,
          {
            location: 'westeurope',
            properties: { tenantId: tenantId(), sku: { family: 'A', name: 'premium' }, ...properties },
          },
          FAST,
        ),
      )

    describe('Resource Manager', () => {
      it('makes a vault, deletes it with its keys, and brings both back', async () => {
        const made = await make('made-by-arm', { softDeleteRetentionInDays: 7 })
        expect(made.properties).toMatchObject({
          vaultUri: 'https://made-by-arm.vault.azure.net/',
          enableRbacAuthorization: true,
        })
        const { client: keys } = placeOf('vault', place().world, 'made-by-arm')
        const key = await keys.createEcKey('k')
        expect(key.properties).toMatchObject({ recoveryLevel: 'CustomizedRecoverable+Purgeable', recoverableDays: 7 })
        await client().vaults.delete('conformance', 'made-by-arm')
        await expect(keys.getKey('k')).rejects.toMatchObject({ statusCode: 404 })
        expect((await all(client().vaults.listDeleted())).map(({ name }) => name)).toEqual(['made-by-arm'])
        await make('made-by-arm', { createMode: 'recover' })
        expect((await keys.getKey('k')).id).toBe(key.id)
        await client().vaults.delete('conformance', 'made-by-arm')
        await soon(client().vaults.purgeDeleted('made-by-arm', 'westeurope', FAST))
        expect(await all(client().vaults.listDeleted())).toEqual([])
      })

      it('gives and takes access policies, and the client of keys feels it', async () => {
        await make('by-policies', { enableRbacAuthorization: false, accessPolicies: [] })
        const { objectId, credential } = programIn(place().world, 'by policies')
        const keys = placeOf('vault', place().world, 'by-policies').clientWith({ credential })
        const policies = (words: ('create' | 'get')[]) => ({
          properties: { accessPolicies: [{ tenantId: tenantId(), objectId, permissions: { keys: words } }] },
        })
        const noPermission = (word: string) => ({
          statusCode: 403,
          code: 'Forbidden',
          message: expect.stringContaining(
            `does not have keys ${word} permission on key vault 'by-policies;location=westeurope'`,
          ),
          details: { error: { innerError: expect.objectContaining({ code: 'AccessDenied' }) } },
        })
        await expect(keys.createEcKey('k')).rejects.toMatchObject(noPermission('create'))
        await client().vaults.updateAccessPolicy('conformance', 'by-policies', 'add', policies(['create']))
        await keys.createEcKey('k')
        await expect(keys.getKey('k')).rejects.toMatchObject(noPermission('get'))
        await client().vaults.updateAccessPolicy('conformance', 'by-policies', 'replace', policies(['get']))
        expect((await keys.getKey('k')).name).toBe('k')
        await client().vaults.updateAccessPolicy('conformance', 'by-policies', 'remove', policies(['get']))
        await expect(keys.getKey('k')).rejects.toMatchObject(noPermission('get'))
      })
    })
    return
  }

  describe('Resource Manager', () => {
    it('makes a managed HSM whose first administrators it is told, and purges it', async () => {
      const made = await soon(
        client().managedHsms.createOrUpdate(
          'conformance',
          'made-by-arm',
          {
            location: 'westeurope',
            sku: { family: 'B', name: 'Standard_B1' },
            properties: { tenantId: tenantId(), initialAdminObjectIds: [adminId()], enablePurgeProtection: false },
          },
          FAST,
        ),
      )
      expect(made.properties).toMatchObject({
        hsmUri: 'https://made-by-arm.managedhsm.azure.net/',
        provisioningState: 'Succeeded',
        securityDomainProperties: { activationStatus: 'Active' },
      })
      const there = placeOf('managedHsm', place().world, 'made-by-arm')
      const { client: keys } = there
      // They rule over roles, and have none for keys until they give themselves one.
      await expect(keys.createOctKey('k', { hsm: true })).rejects.toMatchObject({
        statusCode: 403,
        code: 'AccessDenied',
      })
      await assignLocally(there, CRYPTO_USER, adminId())
      await keys.createOctKey('k', { hsm: true })
      await soon(client().managedHsms.delete('conformance', 'made-by-arm', FAST))
      await expect(keys.getKey('k')).rejects.toMatchObject({ statusCode: 404 })
      await soon(client().managedHsms.purgeDeleted('made-by-arm', 'westeurope', FAST))
      expect(await all(client().managedHsms.listDeleted())).toEqual([])
    })
  })
}
