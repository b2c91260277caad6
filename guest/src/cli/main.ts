import { readFileSync } from 'node:fs'
import { Command, CommanderError, Option } from 'commander'
import type { AttestFlags, ExecFlags, ReleaseFlags, ReportFlags } from './flags.ts'
import { fromGoFlags } from './go-flags.ts'

/** Runs `skerry-guest`. Errors become one line on standard error and an exit code; nothing is loaded before it is needed. */
export async function main(args: readonly string[]): Promise<void> {
  if (!process.stdout.listeners('error').includes(outputFailed)) process.stdout.on('error', outputFailed)
  const program = describe()
  try {
    await program.parseAsync(args[0] === 'sidecar' ? fromGoFlags(args) : [...args], { from: 'user' })
  } catch (error) {
    // What the parser finds it has said already.
    if (error instanceof CommanderError) {
      process.exitCode = error.exitCode === 0 ? 0 : USAGE
      return
    }
    const { code, message } = error as { code?: unknown; message?: unknown }
    process.stderr.write(`skerry-guest: ${message}${typeof code === 'string' ? ` (${code})` : ''}\n`)
    // The sidecar's callers know those of the original: 1 for whatever keeps it from serving.
    process.exitCode = args[0] === 'sidecar' ? 1 : (await import('./exit-code.ts')).exitCodeOf(error)
  }
}

const USAGE = 2

/** Whoever reads may stop: then this ends as by SIGPIPE. What cannot be written is no success either. */
function outputFailed(error: NodeJS.ErrnoException): void {
  if (error.code === 'EPIPE') process.exit(141)
  process.stderr.write(`skerry-guest: standard output cannot be written: ${error.message}\n`)
  process.exit(1)
}

/** What Go's `strconv.ParseBool` takes. */
const GO_BOOLEANS = ['1', 't', 'T', 'true', 'TRUE', 'True', '0', 'f', 'F', 'false', 'FALSE', 'False']

/** Beside the sources as beside the bundle. */
function version(): string {
  return (JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string })
    .version
}

const CERTIFICATES = [
  '--certificates <sources>',
  "who is asked for the chip's certificates, one after the other: thim, azcache, kds, host; default thim",
] as const

function describe(): Command {
  const program = new Command('skerry-guest')
    .description('Reports, attestation and secure key release from inside a SEV-SNP confidential container.')
    .exitOverride()
    .showHelpAfterError('(--help explains)')
    // A program's own flags are the program's, with or without -- in front of it.
    .enablePositionalOptions()
    .option('--version', 'display the version')
    .on('option:version', () => {
      process.stdout.write(`${version()}\n`)
      throw new CommanderError(0, 'commander.version', 'the version')
    })
    .addHelpText(
      'after',
      `
Everything starts with the SNP device, /dev/sev-guest, configfs-tsm or /dev/sev: without it these commands say so and stop.
Proxy (HTTPS_PROXY, NO_PROXY) and CA (NODE_EXTRA_CA_CERTS, SSL_CERT_FILE) variables are honoured.

  skerry-guest report --decode                        what the processor says about this guest
  skerry-guest attest --maa contoso.weu.attest.azure.net
                                                      what Azure attests about it: the claims a release policy sees
  skerry-guest release --maa HOST --akv HOST --kid NAME --to-file key.jwk
                                                      the key, into a file that only its owner can read
  skerry-guest exec --maa HOST --akv HOST --kid NAME --format pem -- nginx-with-key {key}
                                                      a program that reads its key from a file, which is in memory
  skerry-guest sidecar                                the same for other containers, on http://localhost:8080

Exit codes: 1 failed, 2 wrong flags, 3 no device or refused by it, 4 not attested, 5 key not released,
75 may pass later (out of reach, busy, throttled); of exec those of the program, 126 and 127 where it cannot be run.`,
    )

  program
    .command('sidecar')
    .description(
      'serve the API of the SKR sidecar on localhost: /status, /attest/raw, /attest/combined, /attest/maa, /key/release, or gRPC',
    )
    .argument('[args]', 'the same as --base64: as the start script of the original takes it')
    .argument('[port]', 'the same as --port')
    .allowExcessArguments()
    .option(
      '--base64 <json>',
      'base64 of {"identity":{"client_id":"…"},"maaconfig":{"user_agent":"…"}}; also SkrSideCarArgs',
    )
    .option('--port <number>', 'default 8080; also Port')
    .option('--loglevel <level>', 'panic, fatal, error, warning (default), info, debug or trace; also LogLevel')
    .option('--logfile <path>', 'default standard error; also LogFile')
    .option('--server_type <type>', 'http (default) or grpc; also ServerType')
    .option('--infile <path>', 'wrap this file instead of serving')
    .option('--keypath <path>', 'the key to wrap for: <path>-info.json says where its public half is')
    .option('--outfile <path>', 'where the wrapped data goes, base64')
    .addOption(
      new Option(
        '--allowTestingMismatchedTCB [boolean]',
        'begin with certificates that fit no report: for tests',
      ).choices(GO_BOOLEANS),
    )
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
    .option('--vmpl <level>', 'privilege level to state, 0 to 3')
    .addHelpText(
      'after',
      "\nExample: skerry-guest report --decode | jq -r .hostData    # the digest of this group's CCE policy",
    )
    .action(async (flags: ReportFlags) => (await import('./commands.ts')).runReport(flags))

  program
    .command('attest')
    .description('have the guest attested and print the verified claims')
    .requiredOption('--maa <host>', 'attestation provider, such as contoso.weu.attest.azure.net')
    .option('--runtime-data <file>', 'JSON that the token will carry; default {}')
    .option('--nonce <text>', 'the challenge of who will read the token, which will carry it; default: a random number')
    .option('--to-file <path>', 'write the token itself there (mode 0600; must not exist)')
    .option(...CERTIFICATES)
    .addHelpText(
      'after',
      `
Example: the token of a public key, for a relying party that is to encrypt for it:
  skerry-guest attest --maa contoso.weu.attest.azure.net --runtime-data keys.json --nonce "$CHALLENGE" --to-file token.jwt`,
    )
    .action(async (flags: AttestFlags) => (await import('./commands.ts')).runAttest(flags))

  withKey(program.command('release'))
    .description('attest, have the vault release a key, verify and unwrap it')
    .argument('[app...]', 'the program of --to-env and its arguments, after --')
    .passThroughOptions()
    .option('--to-file <path>', 'where the key goes (mode 0600; must not exist)')
    .option('--to-fd <number>', 'a descriptor of this process that it goes to: a pipe or a file, no terminal')
    .option('--to-env <name>', 'a variable of the program that it goes to: the same as exec --env')
    .addHelpText(
      'after',
      `
Examples:
  skerry-guest release --maa HOST --akv HOST --kid NAME --to-file key.jwk
  skerry-guest release --maa HOST --akv HOST --kid NAME --format pem --to-fd 3 3> >(load-key)
  skerry-guest release --maa HOST --akv HOST --kid NAME --derive-salt 00ff --to-fd 1 | cryptsetup open --key-file - ...
  skerry-guest release --maa HOST --akv HOST --kid NAME --format base64 --to-env MASTER_KEY -- ./server`,
    )
    .action(async (app: string[], flags: ReleaseFlags) => {
      const code = await (await import('./commands.ts')).runRelease(app, flags)
      // As exec: where a program ran, it is done.
      if (flags.toEnv !== undefined) process.exit(code)
    })

  withKey(program.command('exec'))
    .description('release a key and run a program that reads it from a file or a variable')
    .argument('<app...>', 'the program and its arguments, after --; {key} in them becomes the path of the key')
    .passThroughOptions()
    .option('--env <name>', 'put the key into this variable, instead of a file')
    .option('--file <path>', 'put it into this file (mode 0600; must not exist; removed when the program ends)')
    .option('--link <path>', 'the same by a link of this name to a file in memory (removed when the program ends)')
    .option('--path-env <name>', 'the variable that has the path; default SKERRY_KEY_FILE')
    .addHelpText(
      'after',
      `
Without --env, --file and --link the key is in memory, at /proc/self/fd/3 of the program. It is never in the arguments.
Signals are passed on, and the exit code is the program's. When skerry-guest itself is killed by SIGKILL, the file of
--file stays; of --link nothing but the name does.

Examples:
  skerry-guest exec --maa HOST --akv HOST --kid NAME --format pem -- stunnel -key {key}
  skerry-guest exec --maa HOST --akv HOST --kid NAME --format base64 --env MASTER_KEY -- ./server
  skerry-guest exec --maa HOST --akv HOST --kid NAME --file /run/key.pem --format pem -- ./legacy`,
    )
    .action(async (app: string[], flags: ExecFlags) => {
      process.exit(await (await import('./commands.ts')).runExec(app, flags))
    })

  return program
}

function withKey(command: Command): Command {
  return command
    .requiredOption('--maa <host>', 'attestation provider: the authority of the release policy')
    .requiredOption('--akv <host>', 'vault or managed HSM, such as contoso.vault.azure.net')
    .requiredOption('--kid <name>', 'the key, or name/version')
    .option('--client-id <id>', 'which user-assigned identity, where there are several')
    .option('--format <form>', 'jwk (default), pem, der (PKCS#8), raw, base64 or hex (oct and derived keys)')
    .option('--derive-salt <hex>', 'make a symmetric key of an RSA key: the salt of the import tool')
    .option('--derive-label <text>', 'the label of the same')
    .option(...CERTIFICATES)
}
