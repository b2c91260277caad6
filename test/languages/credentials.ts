import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { buildCertificate } from '../../emulator/src/x509/certificate.ts'
import { leafConstraints } from '../../emulator/src/x509/extensions.ts'
import { distinguishedName } from '../../emulator/src/x509/names.ts'

/** An application that proves itself in other ways than by a secret. */
export interface Application {
  readonly clientId: string
  /** PEM of a certificate and its private key. */
  readonly certificateFile: string
  /** A token of `issuer`, as Kubernetes projects one into a pod. */
  readonly tokenFile: string
  readonly issuer: string
  /** What a seed says of it. */
  readonly seed: object
}

const AUDIENCE = 'api://AzureADTokenExchange'
const SUBJECT = 'system:serviceaccount:languages:client'

/** Makes the credentials of an application, and an issuer on loopback that answers until it is disposed of. */
export async function makeApplication(folder: string): Promise<Application & AsyncDisposable> {
  const clientId = '6a1d9a35-3f5c-4b0e-9a53-1c2f8f0c7b11'
  const certificate = selfSigned(join(folder, 'certificate.pem'))
  const tokenFile = join(folder, 'federated-token')
  const issuer = await startIssuer(async (url, sign) => {
    const token = sign({ iss: url, sub: SUBJECT, aud: AUDIENCE })
    writeFileSync(tokenFile, await token, { mode: 0o600 })
  })
  return {
    clientId,
    certificateFile: certificate.file,
    tokenFile,
    issuer: issuer.url,
    seed: {
      name: 'languages',
      clientId,
      certificates: [certificate.pem],
      federatedCredentials: [{ name: 'pod', issuer: issuer.url, subject: SUBJECT, audiences: [AUDIENCE] }],
    },
    [Symbol.asyncDispose]: issuer.close,
  }
}

function selfSigned(file: string) {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const name = distinguishedName([['CN', 'languages']])
  const seconds = (offset: number) => new Date(Math.floor(Date.now() / 1000 + offset) * 1000)
  const der = buildCertificate(
    {
      serial: BigInt(`0x40${randomBytes(15).toString('hex')}`),
      subject: name,
      issuer: name,
      notBefore: seconds(-86_400),
      notAfter: seconds(86_400),
      publicKey,
      extensions: [leafConstraints()],
    },
    privateKey,
    'rsa-sha256',
  )
  const pem = new X509Certificate(der).toString()
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
  writeFileSync(file, `${key}${pem}`, { mode: 0o600 })
  return { file, pem }
}

type Sign = (claims: Readonly<Record<string, unknown>>) => Promise<string>

async function startIssuer(ready: (url: string, sign: Sign) => Promise<void>) {
  const { publicKey, privateKey } = await generateKeyPair('RS256')
  const jwk = { ...(await exportJWK(publicKey)), kid: 'one', use: 'sig', alg: 'RS256' }
  const server = createServer((request, response) => {
    const document = request.url?.endsWith('/keys')
      ? { keys: [jwk] }
      : { issuer: url, jwks_uri: `${url}/keys`, id_token_signing_alg_values_supported: ['RS256'] }
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document))
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const sign: Sign = (claims) =>
    new SignJWT(claims)
      .setProtectedHeader({ alg: 'RS256', kid: 'one' })
      .setIssuedAt()
      .setExpirationTime('1h')
      .sign(privateKey)
  await ready(url, sign)
  const close = async () => {
    server.closeAllConnections()
    await new Promise((closed) => server.close(closed))
  }
  return { url, close }
}
