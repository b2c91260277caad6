import type { KeyRotationPolicyProperties } from '@azure/keyvault-keys'
import { describe, expect, it } from 'vitest'
import { all, type Kind, type Place, refusal } from './world.ts'

const DAY_MS = 86_400_000

/** Rotation and its policy; random bytes; key attestation; secure wrap. */
export function rotation(place: () => Place, kind: Kind): void {
  describe('rotate', () => {
    it('makes a version of the same kind that expires when the policy says', async () => {
      const { client, fresh } = place()
      const first = await client.createEcKey(fresh(), { curve: 'P-384', hsm: true, tags: { a: 'b' } })
      await client.updateKeyRotationPolicy(first.name, {
        expiresIn: 'P90D',
        lifetimeActions: [{ action: 'Rotate', timeAfterCreate: 'P30D' }],
      })
      const second = await client.rotateKey(first.name)
      expect([second.keyType, second.key!.crv, second.properties.tags]).toEqual(['EC-HSM', 'P-384', { a: 'b' }])
      expect(second.key!.x).not.toEqual(first.key!.x)
      const { createdOn, expiresOn } = second.properties
      expect(expiresOn!.getTime() - createdOn!.getTime()).toBe(90 * DAY_MS)
      expect(await all(client.listPropertiesOfKeyVersions(first.name))).toHaveLength(2)
      expect((await client.getKey(first.name)).id).toBe(second.id)
    })

    it(kind === 'vault' ? 'needs no policy in a vault' : 'needs a policy on a managed HSM', async () => {
      const here = place()
      const { name } = await here.client.createEcKey(here.fresh())
      const rotating = here.client.rotateKey(name)
      if (here.isVault) expect((await rotating).properties.expiresOn).toBeUndefined()
      else await expect(rotating).rejects.toMatchObject(refusal(here, 400, 'BadParameter'))
    })

    it('of a key that is not there says 404', async () => {
      const here = place()
      await expect(here.client.rotateKey('nobody')).rejects.toMatchObject(refusal(here, 404, 'KeyNotFound'))
    })
  })

  describe('the rotation policy', () => {
    it('of a fresh key is a notice in a vault, and nothing on a managed HSM', async () => {
      const { client, fresh, isVault } = place()
      const { name } = await client.createEcKey(fresh())
      const { lifetimeActions = [] } = await client.getKeyRotationPolicy(name)
      expect(lifetimeActions).toEqual(isVault ? [{ action: 'Notify', timeBeforeExpiry: 'P30D' }] : [])
    })

    it('is what was set, read again', async () => {
      const { client, fresh, isVault } = place()
      const { name } = await client.createEcKey(fresh())
      const rotate = { action: 'Rotate', timeBeforeExpiry: 'P30D' } as const
      const set = await client.updateKeyRotationPolicy(name, { expiresIn: 'P90D', lifetimeActions: [rotate] })
      expect(set.expiresIn).toBe('P90D')
      expect(set.id).toMatch(new RegExp(`keys/${name}/rotationpolicy$`))
      const actions = set.lifetimeActions!.map(({ action, ...trigger }) => [action.toLowerCase(), trigger])
      const notice = ['notify', { timeBeforeExpiry: 'P30D' }]
      expect(actions).toEqual([['rotate', { timeBeforeExpiry: 'P30D' }], ...(isVault ? [notice] : [])])
      expect(await client.getKeyRotationPolicy(name)).toEqual(set)
    })

    it.each<[string, KeyRotationPolicyProperties]>([
      ['an expiry under 28 days', { expiresIn: 'P27D' }],
      [
        'a rotation before an expiry that is not there',
        { lifetimeActions: [{ action: 'Rotate', timeBeforeExpiry: 'P30D' }] },
      ],
      ['two rotations', { expiresIn: 'P1Y', lifetimeActions: [rotateAfter('P30D'), rotateAfter('P60D')] }],
      ['a duration that is none', { expiresIn: 'next year' }],
    ])('refuses %s', async (_, policy) => {
      const here = place()
      const { name } = await here.client.createEcKey(here.fresh())
      await expect(here.client.updateKeyRotationPolicy(name, policy)).rejects.toMatchObject(
        refusal(here, 400, 'BadParameter'),
      )
    })

    it('of a key that is not there says 404', async () => {
      const here = place()
      await expect(here.client.getKeyRotationPolicy('nobody')).rejects.toMatchObject(refusal(here, 404, 'KeyNotFound'))
    })
  })

  describe('random bytes', () => {
    if (kind === 'managedHsm') {
      it('are as many as are asked for, and never the same', async () => {
        const { client } = place()
        const [one, two] = [await client.getRandomBytes(128), await client.getRandomBytes(128)]
        expect([one.length, two.length]).toEqual([128, 128])
        expect(one).not.toEqual(two)
      })

      it.each([0, 129])('are not %i', async (count) => {
        const said = 'GetRandomBytesRequest: count cannot be greater than 128 or less than 1'
        await expect(place().client.getRandomBytes(count)).rejects.toMatchObject(
          refusal(place(), 400, 'BadParameter', undefined, said),
        )
      })
    } else {
      it('are not to be had from a vault', async () => {
        await expect(place().client.getRandomBytes(8)).rejects.toMatchObject({ statusCode: 404 })
      })
    }
  })

  describe('key attestation', () => {
    it('has the members of Azure’s, each of which says that it is not real', async () => {
      const { client, fresh } = place()
      const { name, key } = await client.createEcKey(fresh(), { hsm: true })
      const attested = await client.getKeyAttestation(name)
      const { certificatePemFile, privateKeyAttestation, publicKeyAttestation } = attested.properties.attestation!
      expect(attested.key!.x).toEqual(key!.x)
      expect(Buffer.from(certificatePemFile!).toString()).toMatch(/^-----BEGIN CERTIFICATE-----/)
      for (const statement of [privateKeyAttestation, publicKeyAttestation]) {
        expect(Buffer.from(statement!).toString()).toMatch(/^Not an attestation: Skerry/)
      }
    })

    if (kind === 'vault') {
      it('is not there for a software key', async () => {
        const { name } = await place().client.createEcKey(place().fresh())
        expect((await place().client.getKeyAttestation(name)).properties.attestation).toBeUndefined()
      })
    }
  })

  describe('secure wrap and unwrap', () => {
    it.each([
      ['securewrapkey', { alg: 'RSA-OAEP-256' }],
      ['secureunwrapkey', { alg: 'RSA-OAEP-256', value: 'AAAA', target: 'x.y.z' }],
    ])('%s answers 501, since its format is not known', async (word, body) => {
      const { client, fresh, raw } = place()
      const { name } = await client.createRsaKey(fresh(), { hsm: true })
      const answer = await raw('POST', `/keys/${name}/${word}?api-version=2026-04-01`, body)
      expect([answer.status, answer.json.error.code]).toEqual([501, 'SkerryOperationNotCovered'])
    })
  })
}

const rotateAfter = (timeAfterCreate: string) => ({ action: 'Rotate' as const, timeAfterCreate })
