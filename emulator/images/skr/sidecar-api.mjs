// What the client containers of the SKR example share: how they reach the sidecar on the group's loopback.
import { setTimeout as sleep } from 'node:timers/promises'

const PORT = process.env.Port || '8080'
const ATTEMPTS = 120
const WAIT_MS = 250

/** Waits until the sidecar answers; every container of a group starts at the same time. */
export async function waitForSidecar() {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    try {
      const answer = await fetch(`http://localhost:${PORT}/status`)
      await answer.arrayBuffer()
      if (answer.ok) return
    } catch {
      // Nothing listens yet.
    }
    await sleep(WAIT_MS)
  }
  console.error(`the sidecar on port ${PORT} did not answer within ${(ATTEMPTS * WAIT_MS) / 1000} s`)
  process.exit(1)
}

/** Posts JSON to the sidecar: the status and the answer's members; never throws. */
export async function ask(path, body) {
  try {
    const answer = await fetch(`http://localhost:${PORT}${path}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(body),
    })
    const text = await answer.text()
    return { status: answer.status, ...parse(text) }
  } catch (error) {
    return { status: 0, error: error instanceof Error ? error.message : String(error) }
  }
}

function parse(text) {
  try {
    const value = JSON.parse(text)
    return typeof value === 'object' && value !== null ? value : { error: 'the answer is not an object' }
  } catch {
    return { error: 'the answer is not JSON' }
  }
}

/** An error as one line. */
export function oneLine(error) {
  return String(typeof error === 'object' ? JSON.stringify(error) : error).replaceAll(/\s+/g, ' ')
}

/** Does `work` every so many seconds, for ever. */
export async function repeat(seconds, work) {
  for (;;) {
    await work()
    await sleep(Math.max(seconds, 0.05) * 1000)
  }
}

/** A positive number from the environment. */
export function secondsFrom(name, fallback) {
  const value = Number(process.env[name])
  return value > 0 ? value : fallback
}
