import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  X509Certificate,
} from 'node:crypto'
import { isIP } from 'node:net'
import type { CertificateAuthority, KeyCache, Random, RsaSigner } from './context.ts'
import { remembered } from './document-cache.ts'
import type { Issuer, LeafRequest } from './mint.ts'
import type { PrivateFiles } from './private-files.ts'
import { hostMatches } from './service.ts'

const DAY_MS = 86_400_000

/** How long a root and all it signed last, and how close to its end a root is made anew. */
const LIFETIME_MS = 30 * DAY_MS
const RENEW_BEFORE_MS = 5 * DAY_MS
/** Clocks of clients differ: what is issued has been valid for an hour. */
const BACKDATED_MS = 3_600_000

/** Leaves in hand; all of them are in files. */
const MOST_LEAVES = 1024

const ORGANIZATION = 'Skerry emulator, not Microsoft Azure'

/** The names that an emulator may stand for. Its root can sign for these and what is below them, and for nothing else. */
export const EMULATED_DOMAINS: readonly string[] = [
  'login.microsoftonline.com',
  'login.windows.net',
  'login.microsoft.com',
  'sts.windows.net',
  'graph.microsoft.com',
  'management.azure.com',
  'vault.azure.net',
  'managedhsm.azure.net',
  // On the certificate of a vault's released keys beside the vault's own domain.
  'vaultcore.azure.net',
  'attest.azure.net',
  'acccache.azure.net',
  'kdsintf.amd.com',
  'azurecr.io',
  'mcr.microsoft.com',
  'localhost',
]
export const EMULATED_ADDRESSES: readonly string[] = ['127.0.0.1', '::1', '169.254.169.254']

export interface AuthorityOptions {
  /** Where its keys and certificates are kept. */
  readonly files: PrivateFiles
  /** Holds the RSA key that signs released keys. */
  readonly keys: KeyCache
  readonly random: Random
  /**
   * Milliseconds since the epoch by the clock of the clients: their TLS stacks know no other. That is real time even
   * where the emulator's own clock was moved.
   */
  readonly now: () => number
  /** Told apart in the root's name, so that a person who finds one in a trust store knows where it came from. */
  readonly label: string
  /** Fixed validity, for tests whose clock stands elsewhere than the machine's. Milliseconds since the epoch. */
  readonly validity?: { readonly notBefore: number; readonly notAfter: number }
}

/** The file, in `AuthorityOptions.files`, that a client is told to trust. */
export const ROOT_FILE = 'ca.pem'

/** Thrown when a certificate is asked for a name that no emulated service has. */
export class NameNotPermittedError extends Error {
  readonly code = 'ERR_NAME_NOT_PERMITTED'
  constructor(hostname: string) {
    super(`the emulator's certificate authority does not sign for ${hostname}`)
    this.name = 'NameNotPermittedError'
  }
}

interface Hierarchy {
  readonly rootPem: string
  readonly intermediatePem: string
  /** PKCS#8 in PEM: only the intermediate's is kept; the root's is dropped once it has signed. */
  readonly intermediateKeyPem: string
}

/**
 * Opens the certificate authority of one data directory: a self-signed root, an intermediate, and leaves as they are
 * asked for. The root is short-lived, name-constrained, and its private key is forgotten as soon as it has signed the
 * intermediate.
 */
export async function openAuthority(options: AuthorityOptions): Promise<CertificateAuthority> {
  const hierarchy = (await readHierarchy(options)) ?? (await makeHierarchy(options))
  const root = new X509Certificate(hierarchy.rootPem)
  const intermediate = new X509Certificate(hierarchy.intermediatePem)
  const generation = root.fingerprint256.replaceAll(':', '').slice(0, 16).toLowerCase()
  const leaves = new Map<string, Promise<string>>()
  /** Signers by their certificate's PEM: a key that stays the same is not read anew for each released key. */
  const signers = new Map<string, RsaSigner>()

  /** A leaf (and whatever PEM comes with it), made once for this root and kept. */
  const leaf = (name: string, make: () => Promise<string>) => {
    const file = `${name}-${generation}.pem`
    return remembered(leaves, file, MOST_LEAVES, () => {
      const started = (async () =>
        (await options.files.read(file)) ?? (await options.files.writeOnce(file, await make())))()
      started.catch(() => leaves.delete(file))
      return started
    })
  }
  const sign = async (request: Pick<LeafRequest, 'publicKey' | 'hostnames'>) => {
    const { mintLeaf } = await import('./mint.ts')
    const [first = ''] = request.hostnames
    const der = mintLeaf(
      {
        ...request,
        // A common name is at most 64 characters (RFC 5280, ub-common-name), and an address in it is read as a host name.
        subject: { organization: ORGANIZATION, ...(first.length <= 64 && isIP(first) === 0 && { commonName: first }) },
        serial: options.random.bytes(16),
        notBefore: Date.parse(intermediate.validFrom),
        notAfter: Date.parse(intermediate.validTo),
      },
      issuerOf(INTERMEDIATE_NAME(options.label), createPrivateKey(hierarchy.intermediateKeyPem)),
    )
    return pemOf('CERTIFICATE', der)
  }

  return {
    rootPem: hierarchy.rootPem,
    async tlsFor(hostname) {
      const host = permitted(hostname)
      const pem = await leaf(`tls-${host}`, async () => {
        const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
        return (await sign({ publicKey, hostnames: [host] })) + exportKey(privateKey)
      })
      const [cert = '', key = ''] = pem.split(/(?=-----BEGIN PRIVATE KEY)/)
      return { cert: cert + hierarchy.intermediatePem, key }
    },
    async rsaSigner(hostnames) {
      const hosts = hostnames.map(permitted)
      const privateKey = await options.keys.rsa('released-key-signer', 2048)
      // An imported state brings its key along: a kept certificate is one of this key, or not looked at.
      const pem = await leaf(`jws-${digest(`${hosts.join()} ${markOf(privateKey)}`)}`, () =>
        sign({ publicKey: createPublicKey(privateKey), hostnames: hosts }),
      )
      return remembered(signers, pem, MOST_LEAVES, () => ({
        privateKey,
        chain: [new X509Certificate(pem).raw, intermediate.raw, root.raw],
      }))
    },
  }
}

const marks = new WeakMap<KeyObject, string>()

/** Tells a key from others; worked out once. */
function markOf(privateKey: KeyObject): string {
  const known = marks.get(privateKey)
  if (known !== undefined) return known
  const mark = digest(createPublicKey(privateKey).export({ type: 'spki', format: 'pem' }) as string)
  marks.set(privateKey, mark)
  return mark
}

const ROOT_NAME = (label: string) => ({ commonName: `Skerry emulator root (${label})`, organization: ORGANIZATION })
const INTERMEDIATE_NAME = (label: string) => ({
  commonName: `Skerry emulator CA (${label})`,
  organization: ORGANIZATION,
})

async function makeHierarchy(options: AuthorityOptions): Promise<Hierarchy> {
  const { mintCa } = await import('./mint.ts')
  const rootKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const intermediateKey = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey
  const validity = options.validity ?? {
    notBefore: options.now() - BACKDATED_MS,
    notAfter: options.now() + LIFETIME_MS,
  }
  const permitted = { domains: EMULATED_DOMAINS, addresses: EMULATED_ADDRESSES }
  const ca = { ...validity, permitted }
  const root = mintCa({
    ...ca,
    serial: options.random.bytes(16),
    subject: ROOT_NAME(options.label),
    privateKey: rootKey,
    pathLength: 1,
  })
  const intermediate = mintCa(
    {
      ...ca,
      serial: options.random.bytes(16),
      subject: INTERMEDIATE_NAME(options.label),
      privateKey: intermediateKey,
      pathLength: 0,
    },
    issuerOf(ROOT_NAME(options.label), rootKey),
  )
  const hierarchy = {
    rootPem: pemOf('CERTIFICATE', root),
    intermediatePem: pemOf('CERTIFICATE', intermediate),
    intermediateKeyPem: exportKey(intermediateKey),
  }
  // The root last: a hierarchy that was cut short by a kill does not verify, and is made again.
  await options.files.write('intermediate.pem', hierarchy.intermediatePem + hierarchy.intermediateKeyPem)
  await options.files.write(ROOT_FILE, hierarchy.rootPem)
  return hierarchy
}

/** What is kept, unless it is incomplete, does not fit together, signs for other names, or ends soon. */
async function readHierarchy(options: AuthorityOptions): Promise<Hierarchy | undefined> {
  const rootPem = await options.files.read(ROOT_FILE)
  const bundle = await options.files.read('intermediate.pem')
  if (rootPem === undefined || bundle === undefined) return undefined
  const [intermediatePem = '', intermediateKeyPem = ''] = bundle.split(/(?=-----BEGIN PRIVATE KEY)/)
  try {
    const root = new X509Certificate(rootPem)
    const intermediate = new X509Certificate(intermediatePem)
    const fits =
      intermediate.verify(root.publicKey) &&
      intermediate.checkPrivateKey(createPrivateKey(intermediateKeyPem)) &&
      intermediate.subject.includes(INTERMEDIATE_NAME(options.label).commonName)
    const ends = Math.min(Date.parse(root.validTo), Date.parse(intermediate.validTo))
    if (!fits || Date.parse(root.validFrom) > options.now() || ends - options.now() < RENEW_BEFORE_MS) return undefined
    return { rootPem, intermediatePem, intermediateKeyPem }
  } catch {
    return undefined
  }
}

function permitted(hostname: string): string {
  const host = hostname.toLowerCase()
  const known =
    isIP(host) > 0
      ? EMULATED_ADDRESSES.includes(host)
      : EMULATED_DOMAINS.some((domain) => host === domain || hostMatches(`*.${domain}`, host))
  if (!known) throw new NameNotPermittedError(hostname)
  return host
}

function issuerOf(name: Issuer['name'], privateKey: KeyObject): Issuer {
  return { name, privateKey }
}

function exportKey(key: KeyObject): string {
  return key.export({ type: 'pkcs8', format: 'pem' }) as string
}

/** RFC 7468: lines of 64 characters. */
function pemOf(label: string, der: Uint8Array): string {
  const lines =
    Buffer.from(der)
      .toString('base64')
      .match(/.{1,64}/g) ?? []
  return `-----BEGIN ${label}-----\n${lines.join('\n')}\n-----END ${label}-----\n`
}

function digest(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 32)
}
