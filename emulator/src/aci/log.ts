import type { LogOptions } from './types.ts'

/** Bytes of log that the service gives of a running container, and of one that has ended. */
const RUNNING_LIMIT = 4 * 1024 * 1024
const STOPPED_LIMIT = 16 * 1024
const STOPPED_LINES = 1000
const MEMORY_LIMIT = 2 * RUNNING_LIMIT
/** What a line costs in memory beside its text: a flood of empty ones is bounded too. */
const LINE_COST = 64

interface LogLine {
  readonly time: string
  readonly text: string
  readonly bytes: number
}

/** What one container has written, newest last; old lines fall out at 4 MB. In memory only. */
export interface ContainerLog {
  append(time: string, line: string): void
  /** The text, each line ended by a line feed. */
  read(options?: LogOptions): string
  /** Keeps what the service still gives of a container that ended: 16 KB or 1000 lines. */
  shrink(): void
  clear(): void
}

export function createContainerLog(): ContainerLog {
  let lines: LogLine[] = []
  let bytes = 0
  const cut = (limit: number, lineCost = 0) => {
    let drop = 0
    while (bytes + (lines.length - drop) * lineCost > limit && drop < lines.length - 1) {
      bytes -= lines[drop]!.bytes
      drop += 1
    }
    if (drop > 0) lines = lines.slice(drop)
  }
  return {
    append(time, text) {
      const line = { time, text, bytes: Buffer.byteLength(text) + 1 }
      lines.push(line)
      bytes += line.bytes
      if (bytes > RUNNING_LIMIT) cut(RUNNING_LIMIT - RUNNING_LIMIT / 16)
      const memory = bytes + lines.length * LINE_COST
      if (memory > MEMORY_LIMIT) cut(MEMORY_LIMIT - MEMORY_LIMIT / 16, LINE_COST)
    },
    read({ tail, timestamps = false } = {}) {
      const shown = tail === undefined ? lines : tail <= 0 ? [] : lines.slice(-tail)
      return shown.map((line) => `${timestamps ? `${line.time} ` : ''}${line.text}\n`).join('')
    },
    shrink() {
      const kept = lines.slice(-STOPPED_LINES)
      bytes = kept.reduce((sum, line) => sum + line.bytes, 0)
      lines = kept
      cut(STOPPED_LIMIT)
    },
    clear() {
      lines = []
      bytes = 0
    },
  }
}
