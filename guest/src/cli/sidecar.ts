import { readSettings } from '../sidecar/settings.ts'
import { honourEnvironment } from './process.ts'

type Flags = Readonly<Record<string, string>>

/** Serves until SIGTERM or SIGINT; with `infile` it wraps that file instead, and ends. */
export async function runSidecar(flags: Flags, positionals: readonly string[] = []): Promise<void> {
  const { server_type: serverType, infile, keypath, outfile, ...rest } = flags
  const settings = readSettings({ ...rest, positionals, ...(serverType !== undefined && { serverType }) }, process.env)
  if (infile) return await wrap({ infile, ...(keypath && { keypath }), ...(outfile && { outfile }) })
  await honourEnvironment(process.env)
  const { startSidecar } = await import('../sidecar/start.ts')
  const sidecar = await startSidecar(settings).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error
    throw new Error(`-port: ${settings.port} is in use on localhost`, { cause: error })
  })
  // Said at every level, as the original says it: who starts this by hand sees that it is there.
  const { serverType: type } = settings
  process.stdout.write(`Listening and serving ${type === 'grpc' ? 'gRPC' : 'HTTP'} on localhost:${sidecar.port}\n`)
  const stop = () => {
    // Whatever is still under way belongs to clients that are going too.
    void sidecar.stop().finally(() => process.exit(0))
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
}

async function wrap(files: { infile: string; keypath?: string; outfile?: string }): Promise<void> {
  const { wrapFile } = await import('../sidecar/wrap-file.ts')
  process.stderr.write(`${await wrapFile(files)}\n`)
}
