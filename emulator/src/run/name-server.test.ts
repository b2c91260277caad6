import { describe, expect, it } from 'vitest'
import { answerQuery, type NameServerOptions } from './name-server.ts'

/** A query as a resolver sends it: RD set, one question. */
function query(name: string, { type = 1, flags = 0x0100, recordClass = 1 } = {}): Buffer {
  const labels = name.split('.').map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]))
  const header = Buffer.from([0xab, 0xcd, flags >> 8, flags & 0xff, 0, 1, 0, 0, 0, 0, 0, 0])
  return Buffer.concat([header, ...labels, Buffer.from([0, type >> 8, type & 0xff, 0, recordClass])])
}
const options: NameServerOptions = {
  address: '10.0.0.1',
  exists: (name) => name === 'contoso.vault.azure.net',
}
const ask = async (message: Buffer, given = options) => {
  const answer = await answerQuery(message, given)
  if (answer === undefined) return undefined
  const [id, flags, questions, answers] = [0, 2, 4, 6].map((at) => answer.readUInt16BE(at))
  const address = answers === 1 ? answer.subarray(-4).join('.') : undefined
  return { id, code: flags! & 0x0f, isResponse: flags! >> 15 === 1, questions, address, bytes: answer }
}

describe('the name server of a network', () => {
  it('leads a name that exists to the emulator, in whatever case it is written', async () => {
    const answer = await ask(query('Contoso.VAULT.azure.net'))
    expect(answer).toMatchObject({ id: 0xabcd, code: 0, isResponse: true, questions: 1, address: '10.0.0.1' })
    // The question comes back as it was asked, which resolvers compare.
    expect(answer?.bytes.includes('Contoso')).toBe(true)
  })

  it('has no IPv6 address of it, which is not that there is no such name', async () => {
    expect(await ask(query('contoso.vault.azure.net', { type: 28 }))).toMatchObject({ code: 0, address: undefined })
  })

  it('knows no other name', async () => {
    expect(await ask(query('example.com'))).toMatchObject({ code: 3, address: undefined })
    expect(await ask(query('contoso.vault.azure.net.evil'))).toMatchObject({ code: 3 })
    expect(await ask(query('contoso.vault.azure.net', { recordClass: 3 }))).toMatchObject({ code: 3 })
  })

  it('says of a name that could not be looked up that it could not', async () => {
    const failing = { ...options, exists: () => Promise.reject(new Error('the instance is gone')) }
    expect(await ask(query('contoso.vault.azure.net'), failing)).toMatchObject({ code: 2 })
  })

  it.each([
    ['no question', Buffer.from([0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]), 1],
    ['a name that does not end', query('a').subarray(0, 13), 1],
    ['a label that is longer than what is left', Buffer.concat([query('a').subarray(0, 12), Buffer.from([63, 97])]), 1],
    ['a pointer for a name', Buffer.concat([query('a').subarray(0, 12), Buffer.from([0xc0, 12, 0, 1, 0, 1])]), 1],
    ['a name that is too long', query(Array(6).fill('a'.repeat(60)).join('.')), 1],
    ['another operation than a query', query('contoso.vault.azure.net', { flags: 0x2800 }), 4],
  ])('refuses %s', async (_, message, code) => {
    expect(await ask(message)).toMatchObject({ code, questions: 0, address: undefined })
  })

  it('answers no response, and nothing that is too short for a query', async () => {
    expect(await ask(query('contoso.vault.azure.net', { flags: 0x8180 }))).toBeUndefined()
    expect(await ask(Buffer.from([1, 2, 3]))).toBeUndefined()
  })
})
