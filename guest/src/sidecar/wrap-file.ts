import { readFile, stat, writeFile } from 'node:fs/promises'
import { WrapError, wrapWithPublicKey } from './wrap.ts'

export interface WrapFileOptions {
  /** What is to be wrapped: `-infile`. */
  readonly infile: string
  /** `-keypath`, see `wrapWithPublicKey`. */
  readonly keypath?: string
  /** Gets standard base64 of the annotation packet, without a line end: `-outfile`. */
  readonly outfile?: string
}

/**
 * The original's wrapping mode: no server, one file wrapped into another.
 * @returns what to say of it
 * @throws WrapError
 */
export async function wrapFile({ infile, keypath, outfile }: WrapFileOptions): Promise<string> {
  const plaintext = await readFile(infile).catch((cause) => {
    throw new WrapError(`Can't read input file ${infile}`, cause)
  })
  try {
    if (!keypath) throw new WrapError('The key path is not specified for wrapping')
    if (!outfile) throw new WrapError('The output file is not specified')
    await stat(`${keypath}-info.json`).catch((cause) => {
      throw new WrapError(`The wrapping key info is not found: ${keypath}-info.json`, cause)
    })
    const packet = await wrapWithPublicKey(plaintext, keypath)
    await writeFile(outfile, packet.toString('base64')).catch((cause) => {
      throw new WrapError(`Failed to save the wrapped data to ${outfile}`, cause)
    })
    return `Success! The wrapped data is saved to ${outfile}`
  } finally {
    plaintext.fill(0)
  }
}
