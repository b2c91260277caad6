import { readFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { type ClientProgram, describeClient } from './describe-client.ts'
import { cacheFolder, findProgram, type Prepared, steps } from './toolchain.ts'

const HERE = join(import.meta.dirname, 'java')
const STORE_PASSWORD = 'changeit'

async function prepare(): Promise<Prepared<ClientProgram>> {
  const [java, keytool, maven] = [findProgram('java'), findProgram('keytool'), findProgram('mvn')]
  if (java === undefined || keytool === undefined) return { unavailable: 'no java on the search path' }
  if (maven === undefined) return { unavailable: 'no mvn on the search path' }
  const cache = cacheFolder('java')
  const classPath = join(cache, 'class-path')
  const failed = await steps([
    [
      maven,
      [
        '--quiet',
        '--batch-mode',
        '--file',
        join(HERE, 'pom.xml'),
        `-Dmaven.repo.local=${join(cache, 'repository')}`,
        `-Dbuild.folder=${join(cache, 'build')}`,
        'compile',
        'dependency:build-classpath',
        `-Dmdep.outputFile=${classPath}`,
      ],
      { timeoutMs: 600_000 },
    ],
  ])
  if (failed !== undefined) return { unavailable: failed }
  const classes = [join(cache, 'build', 'classes'), readFileSync(classPath, 'utf8').trim()].join(delimiter)
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
