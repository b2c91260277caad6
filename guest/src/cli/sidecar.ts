import { readSettings } from '../sidecar/settings.ts'
import { startSidecar } from '../sidecar/start.ts'
import { honourEnvironment } from './process.ts'

/** Serves until SIGTERM or SIGINT. */
export async function runSidecar(flags: Readonly<Record<string, string>>): Promise<void> {
  const { server_type: serverType, ...rest } = flags
  const settings = readSettings({ ...rest, ...(serverType !== undefined && { serverType }) }, process.env)
  await honourEnvironment(process.env)
  const sidecar = await startSidecar(settings).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EADDRINUSE') throw error
    throw new Error(`-port: ${settings.port} is in use on localhost`, { cause: error })
  })
  const stop = () => {
    // Whatever is still under way belongs to clients that are going too.
    void sidecar.stop().finally(() => process.exit(0))
  }
  process.once('SIGTERM', stop)
  process.once('SIGINT', stop)
}
