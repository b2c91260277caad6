import { Command } from 'commander'
import { fromGoFlags } from './go-flags.ts'

/** Runs `skerry-guest`. Errors become one line on standard error and exit code 1; nothing is loaded before it is needed. */
export async function main(args: readonly string[]): Promise<void> {
  const program = describe()
  try {
    await program.parseAsync(args[0] === 'sidecar' ? fromGoFlags(args) : [...args], { from: 'user' })
  } catch (error) {
    const { code, message } = error as { code?: unknown; message?: unknown }
    process.stderr.write(`skerry-guest: ${message}${typeof code === 'string' ? ` (${code})` : ''}\n`)
    process.exitCode = 1
  }
}

interface ReportFlags {
  readonly runtimeData?: string
  readonly decode?: true
}

interface AttestFlags {
  readonly maa: string
  readonly runtimeData?: string
  readonly toFile?: string
}

interface ReleaseFlags {
  readonly maa: string
  readonly akv: string
  readonly kid: string
  readonly toFile: string
  readonly clientId?: string
}

function describe(): Command {
  const program = new Command('skerry-guest')
    .description('Reports, attestation and secure key release from inside a SEV-SNP confidential container.')
    .showHelpAfterError('(--help explains)')
    .addHelpText(
      'after',
      `
Everything starts with the SNP device, /dev/sev-guest or /dev/sev: without it these commands say so and stop.
Proxy (HTTPS_PROXY, NO_PROXY) and CA (NODE_EXTRA_CA_CERTS, SSL_CERT_FILE) variables are honoured.

  skerry-guest report --decode                        what the processor says about this guest
  skerry-guest attest --maa contoso.weu.attest.azure.net
                                                      what Azure attests about it: the claims a release policy sees
  skerry-guest release --maa HOST --akv HOST --kid NAME --to-file key.jwk
                                                      the key, into a file that only its owner can read
  skerry-guest sidecar                                the same for other containers, on http://localhost:8080`,
    )

  program
    .command('sidecar')
    .description(
      'serve the API of the SKR sidecar on localhost: /status, /attest/raw, /attest/combined, /attest/maa, /key/release, or gRPC',
    )
    .argument('[args]', 'the same as --base64: as the start script of the original takes it')
    .argument('[port]', 'the same as --port')
    .option(
      '--base64 <json>',
      'base64 of {"identity":{"client_id":"…"},"maaconfig":{"user_agent":"…"}}; also SkrSideCarArgs',
    )
    .option('--port <number>', 'default 8080; also Port')
    .option('--loglevel <level>', 'panic, fatal, error, warning, info, debug (default) or trace; also LogLevel')
    .option('--logfile <path>', 'default standard error; also LogFile')
    .option('--server_type <type>', 'http (default) or grpc; also ServerType')
    .option('--infile <path>', 'wrap this file instead of serving')
    .option('--keypath <path>', 'the key to wrap for: <path>-info.json says where its public half is')
    .option('--outfile <path>', 'where the wrapped data goes, base64')
    .option('--allowTestingMismatchedTCB [boolean]', 'begin with certificates that fit no report: for tests')
    .addHelpText('after', '\nThe flags may be written with one dash, as the original has them: -port 8080')
    .action(async (args: string | undefined, port: string | undefined, flags: Record<string, string>) => {
      const positionals = [args, port].filter((value) => value !== undefined)
      await (await import('./sidecar.ts')).runSidecar(flags, positionals)
    })

  program
    .command('report')
    .description('ask the secure processor for a report and print it in hex')
    .option('--runtime-data <file>', 'its SHA-256 goes into the report; default: nothing')
    .option('--decode', 'print the fields instead')
    .action(async (flags: ReportFlags) => (await import('./commands.ts')).runReport(flags))

  program
    .command('attest')
    .description('have the guest attested and print the verified claims')
    .requiredOption('--maa <host>', 'attestation provider, such as contoso.weu.attest.azure.net')
    .option('--runtime-data <file>', 'JSON that the token will carry; default {}')
    .option('--to-file <path>', 'write the token itself there (mode 0600)')
    .action(async (flags: AttestFlags) => (await import('./commands.ts')).runAttest(flags))

  program
    .command('release')
    .description('attest, have the vault release a key, verify and unwrap it')
    .requiredOption('--maa <host>', 'attestation provider: the authority of the release policy')
    .requiredOption('--akv <host>', 'vault or managed HSM, such as contoso.vault.azure.net')
    .requiredOption('--kid <name>', 'the key, or name/version')
    .requiredOption('--to-file <path>', 'where the private JWK goes (mode 0600; must not exist)')
    .option('--client-id <id>', 'which user-assigned identity, where there are several')
    .action(async (flags: ReleaseFlags) => (await import('./commands.ts')).runRelease(flags))

  return program
}
