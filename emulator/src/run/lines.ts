import type { Readable } from 'node:stream'
import { StringDecoder } from 'node:string_decoder'

/** A longer line is delivered in parts, as container runtimes do (16 KiB): a program that writes none must not fill memory. */
export const LONGEST_LINE = 16_384

/** Calls `line` for each line (UTF-8, ended by LF or CRLF) as it comes, the last one also without its end. Resolves at the end of the stream. */
export async function eachLine(stream: Readable, line: (text: string) => void): Promise<void> {
  const decoder = new StringDecoder('utf8')
  let rest = ''
  const deliver = (text: string) => line(text.endsWith('\r') ? text.slice(0, -1) : text)
  const take = (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) cut(part)
    while (rest.length > LONGEST_LINE) {
      line(rest.slice(0, LONGEST_LINE))
      rest = rest.slice(LONGEST_LINE)
    }
  }
  const cut = (text: string) => {
    let at = 0
    for (; text.length - at > LONGEST_LINE; at += LONGEST_LINE) line(text.slice(at, at + LONGEST_LINE))
    deliver(at === 0 ? text : text.slice(at))
  }
  stream.on('data', (chunk: Buffer) => take(decoder.write(chunk)))
  // A pipe that breaks ends as one that is closed.
  stream.on('error', () => stream.destroy())
  await new Promise((resolve) => stream.once('close', resolve))
  take(decoder.end())
  if (rest !== '') deliver(rest)
}
