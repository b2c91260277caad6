#!/usr/bin/env node
// Runs on the Node that the package asks for, whatever the system's is: the one that npm installed beside it. This file
// itself must load on Node 20, whose node:module has no enableCompileCache to import by name.
import { spawn } from 'node:child_process'
import module, { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { setFlagsFromString } from 'node:v8'

const [major, minor] = process.versions.node.split('.').map(Number)
if (major > 24 || (major === 24 && minor >= 5)) {
  module.enableCompileCache()
  if (process.channel) {
    // Started by the other branch: what waits for that process must not outlive it, however it ends.
    process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
    process.channel.unref()
  }
  // Memory is for what the emulator keeps. Left to itself V8 doubles what it has before it collects, and grows the space
  // for young objects to 64 MiB under load; nothing here is faster for either. That space grows once, while all is loaded.
  const setFlag = (flag) => major === 24 && setFlagsFromString(flag)
  setFlag('--heap-growing-percent=20')
  setFlag('--semi-space-growth-factor=4')
  const { main } = await import('../dist/cli/main.js')
  setFlag('--semi-space-growth-factor=1')
  process.exitCode = await main(process.argv.slice(2))
} else {
  const node = pinnedNode()
  if (node === undefined || process.env.SKERRY_RESPAWNED) {
    process.stderr.write(`skerry: needs Node 24.5 or later, this is ${process.version}\n`)
    process.exit(1)
  }
  const child = spawn(node, process.argv.slice(1), {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, SKERRY_RESPAWNED: '1' },
  })
  // What the other branch would have got, `skerry run` for its program; the rest goes to a whole process group or to nobody.
  const passed = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGALRM', 'SIGWINCH']
  for (const signal of passed) process.on(signal, () => child.kill(signal))
  child.on('exit', (code, signal) => {
    if (!signal) process.exit(code ?? 1)
    // The same end, for whoever waits for this process: what passes the signal on must not take it.
    process.removeAllListeners(signal)
    process.kill(process.pid, signal)
  })
}

function pinnedNode() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('node/package.json')), 'bin', 'node')
  } catch {
    return undefined
  }
}
