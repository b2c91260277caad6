import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { eachLine, LONGEST_LINE } from './lines.ts'

async function linesOf(chunks: readonly (string | Buffer)[]): Promise<string[]> {
  const stream = new PassThrough()
  const lines: string[] = []
  const ended = eachLine(stream, (text) => lines.push(text))
  for (const chunk of chunks) stream.write(chunk)
  stream.end()
  await ended
  return lines
}

it('gives lines without their ends, whole whatever the chunks, and the last one though nothing ends it', async () => {
  expect(await linesOf(['a\nb', 'c\r\n', '\n', 'd'])).toEqual(['a', 'bc', '', 'd'])
  expect(await linesOf([])).toEqual([])
})

it('puts a character together that two chunks share', async () => {
  const bytes = Buffer.from('schön\n')
  expect(await linesOf([bytes.subarray(0, 4), bytes.subarray(4)])).toEqual(['schön'])
})

it('cuts a line that does not end, so that it is never held whole', async () => {
  const long = 'x'.repeat(2.5 * LONGEST_LINE)
  const lines = await linesOf([long, '\nshort\n'])
  expect(lines.map((text) => text.length)).toEqual([LONGEST_LINE, LONGEST_LINE, LONGEST_LINE / 2, 5])
  expect(lines.slice(0, 3).join('')).toBe(long)
  expect((await linesOf([`${long}\n`])).join('')).toBe(long)
})
