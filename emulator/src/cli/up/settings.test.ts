import { describe, expect, it } from 'vitest'
import { settingsOf as merged } from '../../seed/merge.ts'
import { settingsOf } from './settings.ts'

describe('the flags of skerry up that are settings', () => {
  it('go before what a seed says, each for itself', () => {
    const given = settingsOf({ attestationTrust: 'both', eventWebhook: 'https://example.com/hook' })
    const endorsers = [{ issuer: 'did:x509:0:sha256:a::eku:1.2', feed: 'f' }]
    expect(merged(given, { attestation: { trust: 'amd', endorsers }, authorityCheck: 'atCreation' })).toMatchObject({
      attestation: { trust: 'both', endorsers },
      authorityCheck: 'atCreation',
      eventWebhook: 'https://example.com/hook',
    })
  })

  it('say nothing where they are not given', () => {
    expect(settingsOf({})).toEqual({})
  })
})
