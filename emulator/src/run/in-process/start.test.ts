import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { constants, tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, describe, expect, it } from 'vitest'
import { defaultImages } from '../../aci/index.ts'
import { createRunner, FirmwareError, type ProcessOptions } from '../index.ts'
import { guestOf } from '../testing.test-support.ts'

const folder = mkdtempSync(join(tmpdir(), 'skerry-in-process-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))
let count = 0

const runner = createRunner({ device: 'none' })

/** Starts a module with this source; what it says is kept. */
async function start(source: string, more: Partial<ProcessOptions> & { readonly args?: readonly string[] } = {}) {
  count += 1
  const file = join(folder, `program-${count}.mjs`)
  writeFileSync(file, source)
  const lines: string[] = []
  const first = Promise.withResolvers<string>()
  const process = await runner.start({
    command: ['/nowhere/program'],
    env: { GREETING: 'hello' },
    guest: guestOf({}),
    module: { url: pathToFileURL(file).href, ...(more.args && { args: more.args }) },
    output: (line, stream) => {
      first.resolve(line)
      lines.push(`${stream}: ${line}`)
    },
    ...more,
  })
  return { process, lines, first: first.promise }
}

describe('a machine with nothing below the system call', () => {
  it('says that the device is injected in process, and who could reach the ports', async () => {
    const { device, networkNamespace, notices } = await runner.capabilities()
    expect({ device, networkNamespace }).toEqual({ device: 'none', networkNamespace: false })
    expect(notices.at(-1)).toMatch(/injected in process.*other local users could reach its ports/)
  })

  it('refuses a program that has no module, and says why', async () => {
    const started = runner.start({
      command: ['/usr/bin/true'],
      env: {},
      guest: guestOf({}),
      output: () => undefined,
    })
    await expect(started).rejects.toMatchObject({
      code: 'ERR_DEVICE_UNAVAILABLE',
      message: expect.stringMatching(/^\/usr\/bin\/true needs the SNP device/),
    })
  })
})

describe('a module in process', () => {
  it('has the environment and arguments it was given, and nothing of the emulator’s', async () => {
    const { process, lines } = await start(
      `export const main = async ({ args }) =>
        console.log(args.join(), process.argv.slice(2).join(), JSON.stringify(process.env))`,
      { args: ['a', 'b'] },
    )
    expect(await process.exit).toEqual({ code: 0, signal: null })
    expect(lines).toEqual(['stdout: a,b a,b {"GREETING":"hello"}'])
  })

  it('that is the sidecar takes its flags as the original does, and refuses one that it does not know', async () => {
    const { module } = defaultImages()('mcr.microsoft.com/aci/skr:2.8', ['/skr.sh', '-port', 'none'])!
    const { process, lines } = await start('', { module: module! })
    expect(await process.exit).toEqual({ code: 1, signal: null })
    expect(lines).toEqual(['stderr: the sidecar did not start: -port must be a number from 0 to 65535, not "none"'])
    const unknown = defaultImages()('mcr.microsoft.com/aci/skr:2.8', ['/skr.sh', '--no-such-flag'])!
    const refused = await start('', { module: unknown.module! })
    expect(await refused.process.exit).toEqual({ code: 1, signal: null })
    expect(refused.lines.join()).toContain('--no-such-flag')
  })

  it('asks the guest’s processor and gets its bytes', async () => {
    const asked: Uint8Array[] = []
    const guest = guestOf({
      reportRequest: async (request) => {
        asked.push(request)
        return Uint8Array.from([7, 8, 9])
      },
    })
    const { process, lines } = await start(
      'export const main = async ({ guest }) => console.log(...(await guest.reportRequest(Uint8Array.of(1, 2))))',
      { guest },
    )
    await process.exit
    expect(lines).toEqual(['stdout: 7 8 9'])
    expect(asked.map((bytes) => [...bytes])).toEqual([[1, 2]])
  })

  const asksForBoth = `export async function main({ guest }) {
    for (const ask of [guest.reportRequest, guest.keyRequest])
      await ask(new Uint8Array(1)).catch((error) => console.log(error.firmwareStatus, error.message))
  }`

  it('learns the firmware’s status when it refuses, and has lost the key to it from then on', async () => {
    const guest = guestOf({ reportRequest: () => Promise.reject(new FirmwareError(7)) })
    const { process, lines } = await start(asksForBoth, { guest })
    await process.exit
    expect(lines).toEqual([
      'stdout: 7 the firmware answered status 7',
      `stdout: 255 the request did not reach the firmware (errno ${constants.errno.ENOTTY})`,
    ])
  })

  it('learns nothing of a fault of the emulator', async () => {
    const guest = guestOf({ reportRequest: () => Promise.reject(new Error('a path of this machine')) })
    const { process, lines } = await start(asksForBoth, { guest })
    await process.exit
    expect(lines[0]).toBe('stdout: 19 the firmware answered status 19')
  })

  it('gives its exit code back', async () => {
    const { process } = await start('process.exit(3)')
    expect(await process.exit).toEqual({ code: 3, signal: null })
  })

  it('that throws ends with 1, its error in its output', async () => {
    const { process, lines } = await start('throw new Error("out of luck")')
    expect(await process.exit).toEqual({ code: 1, signal: null })
    expect(lines[0]).toBe('stderr: Error: out of luck')
  })

  it('ends when it is told to, and when the signal is aborted', async () => {
    const forever = 'console.log("up"); setInterval(() => {}, 1000)'
    const told = await start(forever)
    await told.first
    told.process.kill()
    expect(await told.process.exit).toEqual({ code: null, signal: 'SIGTERM' })

    const abort = new AbortController()
    const aborted = await start(forever, { signal: abort.signal })
    await aborted.first
    abort.abort()
    expect(await aborted.process.exit).toEqual({ code: null, signal: 'SIGKILL' })
  })
})
