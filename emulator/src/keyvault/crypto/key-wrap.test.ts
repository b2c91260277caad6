import { describe, expect, it } from 'vitest'
import { unwrapAes, wrapAes } from './key-wrap.ts'

const hex = (text: string) => Buffer.from(text, 'hex')

describe('AES key wrap with padding', () => {
  // RFC 5649 section 6.
  const kek = hex('5840df6e29b02af1ab493b705bf16ea1ae8338f4dcc176a8')
  it.each([
    ['c37b7e6492584340bed12207808941155068f738', '138bdeaa9b8fa7fc61f97742e72248ee5ae6ae5360d1ae6a5f54f373fa543b6a'],
    ['466f7250617369', 'afbeb0f07dfbf5419200f2ccb50bb24f'],
  ])('wraps %s as RFC 5649 does', (plaintext, wrapped) => {
    expect(wrapAes(kek, hex(plaintext), true).toString('hex')).toBe(wrapped)
    expect(unwrapAes(kek, hex(wrapped), true).toString('hex')).toBe(plaintext)
  })

  it('pads even what is a whole number of blocks', () => {
    expect(wrapAes(Buffer.alloc(32, 1), Buffer.alloc(32), true)).toHaveLength(40)
    expect(() => unwrapAes(Buffer.alloc(32, 1), wrapAes(Buffer.alloc(32, 1), Buffer.alloc(32), true), false)).toThrow()
  })

  it('does not open what was changed', () => {
    const wrapped = wrapAes(kek, Buffer.alloc(20), true)
    wrapped[3]! ^= 1
    expect(() => unwrapAes(kek, wrapped, true)).toThrow()
  })
})

it('AES key wrap without padding is that of RFC 3394 section 4.6', () => {
  const kek = hex('000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f')
  const key = hex('00112233445566778899aabbccddeeff000102030405060708090a0b0c0d0e0f')
  const wrapped = '28c9f404c4b810f4cbccb35cfb87f8263f5786e2d80ed326cbc7f0e71a99f43bfb988b9b7a02dd21'
  expect(wrapAes(kek, key, false).toString('hex')).toBe(wrapped)
})
