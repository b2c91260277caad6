import type { Reporter, TestModule } from 'vitest/node'

/** Ends a run with one line that a machine can read: `N passed, N failed, N skipped`, counted by the runner itself. */
export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    const count = { passed: 0, failed: 0, skipped: 0, pending: 0 }
    let broken = unhandledErrors.length
    for (const module of modules) {
      if (module.errors().length > 0) broken += 1
      for (const test of module.children.allTests()) count[test.result().state] += 1
    }
    process.stdout.write(
      `\n${count.passed} passed, ${count.failed + broken} failed, ${count.skipped + count.pending} skipped\n`,
    )
  }
}
