import { createPrivateKey, privateEncrypt } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { DIGEST_INFO_SHA256 } from './sign-floor.ts'

// The least that signing over HTTPS costs in Node: node:https, a body of JSON, one private operation. It checks nothing.
// Started by bare.ts, which says key and certificate; says its port.

interface Start {
  readonly cert: string
  readonly key: string
  readonly signingKey: string
}

process.once('message', ({ cert, key, signingKey }: Start) => {
  const privateKey = createPrivateKey(signingKey)
  const server = createServer({ cert, key }, (request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const { value } = JSON.parse(Buffer.concat(chunks).toString()) as { value: string }
      const info = Buffer.concat([DIGEST_INFO_SHA256, Buffer.from(value, 'base64url')])
      const signature = privateEncrypt(privateKey, info)
      const body = JSON.stringify({ kid: 'bare', value: signature.toString('base64url') })
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length })
      response.end(body)
    })
  })
  server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port))
})
process.once('disconnect', () => process.exit())
