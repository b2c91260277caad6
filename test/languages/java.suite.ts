import { readdirSync, readFileSync, rmSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type ClientProgram, describeClient } from './describe-client.ts'
import { build, cacheFolder, findProgram, type Prepared, steps } from './toolchain.ts'

const HERE = join(import.meta.dirname, 'java')
const SOURCES = join(HERE, 'src', 'main', 'java', 'skerry')
const STORE_PASSWORD = 'changeit'

async function prepare(): Promise<Prepared<ClientProgram>> {
  const [java, javac, keytool, maven] = ['java', 'javac', 'keytool', 'mvn'].map((name) => findProgram(name))
  if (java === undefined || javac === undefined || keytool === undefined) {
    return { unavailable: 'no Java development kit on the search path' }
  }
  if (maven === undefined) return { unavailable: 'no mvn on the search path' }
  const cache = cacheFolder('java')
  const classPathFile = join(cache, 'class-path')
  const failed = await steps([
    [
      maven,
      [
        ...['--quiet', '--batch-mode', '--file', join(HERE, 'pom.xml')],
        `-Dmaven.repo.local=${join(cache, 'repository')}`,
        'dependency:build-classpath',
        `-Dmdep.outputFile=${classPathFile}`,
      ],
      { timeoutMs: 600_000 },
    ],
  ])
  if (failed !== undefined) return { unavailable: failed }
  const packages = readFileSync(classPathFile, 'utf8').trim()
  const classFolder = join(cache, 'classes')
  const sources = readdirSync(SOURCES).map((name) => join(SOURCES, name))
  rmSync(classFolder, { recursive: true, force: true })
  await build(javac, ['--release', '17', '-proc:none', '-cp', packages, '-d', classFolder, ...sources])
  const classes = [classFolder, packages].join(delimiter)
  return {
    ready: {
      command: java,
      args: ['-cp', classes, 'skerry.Client'],
      // Java trusts what is in a store, and reads no variable for it but its own.
      setUp: async ({ folder, environment }) => {
        const store = join(folder, 'trust.p12')
        const made = await steps([
          [
            keytool,
            [
              '-importcert',
              '-noprompt',
              '-alias',
              'skerry',
              '-file',
              environment.SSL_CERT_FILE ?? '',
              '-keystore',
              store,
              '-storetype',
              'PKCS12',
              '-storepass',
              STORE_PASSWORD,
            ],
          ],
        ])
        if (made !== undefined) throw new Error(made)
        // Azure's client reads HTTPS_PROXY only when it is told to use the system's proxies.
        const options = [
          '-Djava.net.useSystemProxies=true',
          `-Djavax.net.ssl.trustStore=${store}`,
          `-Djavax.net.ssl.trustStorePassword=${STORE_PASSWORD}`,
        ]
        return { JDK_JAVA_OPTIONS: options.join(' ') }
      },
    },
  }
}

describeClient('azure-security-keyvault-keys for Java', prepare)
