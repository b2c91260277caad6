// The sidecar for a machine where nothing can stand below the system call: the guest's own library, whose device is
// passed to it. What the device's driver would hand to the processor goes to the guest's virtual one.
import { parseArgs } from 'node:util'

const EIO = 5
const REPORT_BUFFER_SIZE = 4000

/** `args`: the file URL of the guest's library, then the sidecar's own flags. */
export async function main({ args: [library, ...flags], guest }) {
  const { openDevice, readSettings, startSidecar } = await import(library)
  const device = await openDevice({ path: '/dev/sev-guest', addon: { open: async () => opened(guest) } })
  try {
    await startSidecar({ ...readSettings(parsed(flags), process.env), device })
  } catch (error) {
    console.error(`the sidecar did not start: ${error.message}`)
    process.exit(1)
  }
}

/** As the original takes them, with one dash or two, and what its start script takes behind. Throws for one that it does not know. */
function parsed(flags) {
  const text = { type: 'string' }
  const args = flags.map((flag) => flag.replace(/^-(?=[a-z])/, '--'))
  const options = { base64: text, port: text, loglevel: text, logfile: text, server_type: text }
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true })
  const { server_type: serverType, ...rest } = values
  return { ...rest, serverType, positionals }
}

/** The guest's library asks an open device as it asks its native part: the messages of `/dev/sev-guest`, and errno. */
function opened(guest) {
  const device = {
    getReport: (request) => outcome(async () => ({ response: padded(await guest.reportRequest(request)) })),
    getDerivedKey: (request) => outcome(async () => ({ response: await guest.keyRequest(request) })),
    getExtReport: (request) =>
      outcome(async () => {
        const certificates = await guest.certificateTable()
        const response = padded(await guest.reportRequest(request))
        return { response, certificates, certificatesLength: certificates.length }
      }),
    close: () => undefined,
  }
  return { errno: 0, device }
}

async function outcome(ask) {
  try {
    return { errno: 0, exitinfo2: 0n, ...(await ask()) }
  } catch (error) {
    return { errno: EIO, exitinfo2: BigInt(error.firmwareStatus ?? 0), response: new Uint8Array(REPORT_BUFFER_SIZE) }
  }
}

function padded(response) {
  const buffer = new Uint8Array(REPORT_BUFFER_SIZE)
  buffer.set(response)
  return buffer
}
