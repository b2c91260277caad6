import { describe, expect, it } from 'vitest'
import { shellExports } from './env.ts'

describe('the exports of skerry env', () => {
  it('quote what a shell would otherwise read', () => {
    expect(shellExports({ A: "it's $HOME" })).toBe("export A='it'\\''s $HOME'\n")
  })
})
