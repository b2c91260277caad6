import { constants, createHash, createPublicKey, sign } from 'node:crypto'
import {
  COSE_ALG_PS384,
  decodeBase64,
  derToPem,
  encodeBase64,
  encodeHex,
  encodeSigStructure,
  encodeUvmEndorsement,
  encodeUvmHashEnvelopeHeader,
  encodeUvmPayload,
  encodeUvmProtectedHeader,
  pemToDer,
  type UvmProtectedHeader,
} from '@skerry/guest/wire'
import type { EmulatorContext } from '../core/index.ts'
import { memo } from './memo.ts'
import type { UvmIdentity } from './types.ts'
import { buildUvmChain, UVM_ENDORSEMENT_EKU, uvmSigningTime } from './uvm-certificates.ts'

/** The feed under which Azure endorses the utility VM of confidential container groups. */
const UVM_FEED = 'ContainerPlat-AMD-UVM'

/** The endorsement's security version: Azure's production images start at 100. */
const UVM_SVN = 104

/** The launch digest of the utility VM that this emulator pretends to boot; there is no image behind it. */
const LAUNCH_MEASUREMENT = new Uint8Array(createHash('sha384').update('skerry emulated utility VM 1').digest())

/** Signs UVM endorsements under a did:x509 of its own, which an emulated MAA trusts and a real one never will. */
export function createEndorser(ctx: EmulatorContext): UvmIdentity {
  const keys = memo(async () => {
    const [root, issuing, leaf] = await Promise.all([
      ctx.keys.rsa('uvm-root', 3072),
      ctx.keys.rsa('uvm-issuing', 3072),
      ctx.keys.rsa('uvm-leaf', 3072),
    ])
    return { root, issuing, leaf }
  })

  /** Leaf, issuing CA, root: kept under a name that changes with the keys. */
  const chain = memo(async () => {
    const uvmKeys = await keys()
    const bound = createHash('sha256')
    for (const key of Object.values(uvmKeys)) bound.update(createPublicKey(key).export({ type: 'spki', format: 'der' }))
    const name = `uvm-chain-v1-${bound.digest('hex').slice(0, 32)}.pem`
    const pem = await ctx.keys.file(name, async () => {
      const serial = () => BigInt(`0x40${ctx.random.bytes(15).toString('hex')}`)
      const certificates = buildUvmChain(uvmKeys, [serial(), serial(), serial()], ctx.clock.now())
      return certificates.map((der) => derToPem(der)).join('')
    })
    return pemToDer(pem)
  })

  const issuer = memo(async () => {
    const root = (await chain()).at(-1)!
    const fingerprint = createHash('sha256').update(root).digest('base64url')
    return `did:x509:0:sha256:${fingerprint}::eku:${UVM_ENDORSEMENT_EKU}`
  })

  /** Kept under a name that changes with the certificates and the image. */
  const signed = (kind: string, statement: (header: UvmProtectedHeader) => Statement) =>
    memo(async () => {
      const x5chain = await chain()
      const leafSha256 = new Uint8Array(createHash('sha256').update(x5chain[0]!).digest())
      const bound = [leafSha256, LAUNCH_MEASUREMENT].map((digest) => encodeHex(digest.subarray(0, 8))).join('-')
      const kept = await ctx.keys.file(`${kind}-v${UVM_SVN}-${bound}.base64`, async () => {
        const { protectedBytes, payload } = statement({
          alg: COSE_ALG_PS384,
          x5chain,
          leafSha256,
          issuer: await issuer(),
          feed: UVM_FEED,
          // Not the clock: the certificates are kept, and may have been made at another instance's time.
          signedAt: Math.floor(uvmSigningTime(x5chain[0]!) / 1000),
        })
        const { leaf } = await keys()
        const signature = sign('sha384', encodeSigStructure(protectedBytes, payload), {
          key: leaf,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: 48,
        })
        return encodeBase64(encodeUvmEndorsement({ protectedBytes, payload, signature: new Uint8Array(signature) }))
      })
      return decodeBase64(kept)
    })

  const endorsement = signed('uvm-endorsement', (header) => ({
    protectedBytes: encodeUvmProtectedHeader(header),
    payload: encodeUvmPayload({ launchMeasurement: LAUNCH_MEASUREMENT, svn: UVM_SVN }),
  }))
  const transparentEndorsement = signed('uvm-hash-envelope', (header) => ({
    protectedBytes: encodeUvmHashEnvelopeHeader({ ...header, svn: UVM_SVN }),
    payload: LAUNCH_MEASUREMENT,
  }))

  return { feed: UVM_FEED, launchMeasurement: LAUNCH_MEASUREMENT, issuer, endorsement, transparentEndorsement }
}

/** What is signed. */
interface Statement {
  readonly protectedBytes: Uint8Array
  readonly payload: Uint8Array
}
