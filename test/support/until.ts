import { setTimeout as pause } from 'node:timers/promises'

/**
 * Looks again and again at something that runs by itself (a process, a server) until `look` finds it, and returns that.
 * @throws with the last thing seen when it takes longer than `patienceMs`
 */
export async function until<T>(
  look: () => T | false | undefined | Promise<T | false | undefined>,
  patienceMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + patienceMs
  for (;;) {
    const found = await look()
    if (found !== undefined && found !== false) return found
    if (performance.now() > deadline) throw new Error(`not seen within ${patienceMs} ms: ${look}`)
    await pause(15)
  }
}
