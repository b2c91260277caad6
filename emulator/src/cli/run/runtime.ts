import type { RemoteGuest } from '../../control/client.ts'
import { trustEnvironment } from '../../doors/environment.ts'
import { runRuntime } from '../../run/oci/index.ts'
import { untilSignal } from '../until-signal.ts'
import type { RunFlags } from './flags.ts'
import { exitCodeOf, forwardToChild } from './signals.ts'

export interface RuntimePlan {
  /** Empty: containers are started from elsewhere. */
  readonly command: readonly string[]
  readonly flags: RunFlags & { readonly seccompProfile: string }
  /** The certificate to trust. */
  readonly caFile: string
  readonly launch: () => Promise<RemoteGuest>
  readonly say: (line: string) => void
}

/** Serves the containers of a runtime, which runs below this command or elsewhere; resolves to its exit code. */
export async function runWithProfile({ command, flags, caFile, launch, say }: RuntimePlan): Promise<number> {
  const [program, ...args] = command
  const { guest, securityContext, release } = await launch()
  const node = flags.seccompNode === true
  using ending = program === undefined ? untilSignal() : undefined
  try {
    const exit = await runRuntime({
      profileFile: flags.seccompProfile,
      guest,
      deviceGeneration: flags.device,
      mechanism: node ? 'mount-namespace' : 'injected-descriptor',
      env: Object.fromEntries(
        Object.entries(process.env).filter((entry): entry is [string, string] => entry[1] !== undefined),
      ),
      securityContext,
      caFile,
      onContainer: ({ id }) => say(`container ${id} has the SNP device /dev/${flags.device}`),
      onProblem: (error) => say(`${error.message} [${error.code}]`),
      onReady({ securityContextDir, caFile: ca }) {
        if (program !== undefined) return
        say(`seccomp profile: ${flags.seccompProfile}`)
        if (node) say(`the container needs: -v /dev/null:/dev/${flags.device}`)
        say(
          `security context: -v ${securityContextDir}:${securityContextDir}:ro -e UVM_SECURITY_CONTEXT_DIR=${securityContextDir}`,
        )
        const trust = Object.keys(trustEnvironment(ca)).map((name) => `-e ${name}=${ca}`)
        say(`certificate to trust: -v ${ca}:${ca}:ro ${trust.join(' ')}`)
        say('network: --network host -e HTTPS_PROXY -e HTTP_PROXY, after: eval "$(skerry env)"')
        say('listening for containers; Ctrl-C ends it')
      },
      ...(program !== undefined && { command: [program, ...args], forward: forwardToChild }),
      ...(ending !== undefined && { until: ending.signal }),
    })
    return exitCodeOf(exit)
  } finally {
    await release()
  }
}
