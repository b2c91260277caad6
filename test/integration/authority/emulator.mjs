// For authority.test.ts: an emulator as a process of its own, told of the authorities in argv[2] (JSON), with its state in
// argv[3]. Prints the environment of its clients as one line of JSON; ends when its standard input does.
import { createEmulator, seedResources } from '@skerry/emulator'

const [authorities, dataDir] = process.argv.slice(2)
const emulator = await createEmulator({ dataDir, settings: { authorities: JSON.parse(authorities) } })
seedResources(emulator.context, {
  vaults: [{ name: 'skerry', resourceGroup: 'rg' }],
  managedHsms: [{ name: 'skerry', resourceGroup: 'rg' }],
})
const wire = await emulator.listen()
process.stdout.write(`${JSON.stringify(wire.environment)}\n`)
process.stdin.resume()
process.stdin.once('end', async () => {
  await wire.stop()
  await emulator.close()
})
