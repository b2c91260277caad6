import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import type { ProgramModule } from '../run/types.ts'

/** A local program that stands for an image and a command. */
export interface Program {
  /** Absolute path of the program and its arguments. */
  readonly command: readonly [string, ...string[]]
  /** What the image itself would set in the environment. */
  readonly env?: Readonly<Record<string, string>>
  /** The same program for a machine where nothing can stand below the system call; without it, it does not run there. */
  readonly module?: ProgramModule
}

/**
 * Where the emulated service finds what an image reference means on this machine. `command` is the template's, absent
 * when the image's own entry point is wanted. Undefined: there is no such image, and a group that names it is refused.
 */
export type ImageCatalogue = (image: string, command?: readonly string[]) => Program | undefined

/** One image by repository; its programs by the path that a template calls. */
export interface CatalogueImage {
  /** Registry and repository without tag or digest: `mcr.microsoft.com/aci/skr`. */
  readonly repository: string
  /** The entry point when the template gives no command. */
  readonly entrypoint?: string
  readonly programs: Readonly<Record<string, Program>>
}

/** Makes a catalogue of images that are known by repository, whatever the tag. */
export function catalogueOf(images: readonly CatalogueImage[]): ImageCatalogue {
  return (reference, command) => {
    const repository = repositoryOf(reference)
    const image = images.find((candidate) => candidate.repository === repository)
    const path = command?.[0] ?? image?.entrypoint
    if (image === undefined || path === undefined) return undefined
    const program = Object.hasOwn(image.programs, path) ? image.programs[path] : undefined
    if (program === undefined) return undefined
    const given = command?.slice(1) ?? []
    const { module } = program
    return {
      ...program,
      command: [...program.command, ...given],
      ...(module !== undefined && { module: { ...module, args: [...(module.args ?? []), ...given] } }),
    }
  }
}

/** First catalogue that knows the image. */
export function firstOf(...catalogues: readonly ImageCatalogue[]): ImageCatalogue {
  return (image, command) => {
    for (const resolve of catalogues) {
      const program = resolve(image, command)
      if (program !== undefined) return program
    }
    return undefined
  }
}

/** What Skerry brings: its own sidecar and clients under the name of the image that the sidecar's example uses. */
export function defaultImages(): ImageCatalogue {
  const images = fileURLToPath(new URL('../../images/', import.meta.url))
  const client = (name: string): Program => {
    const file = join(images, 'skr', name)
    return { command: [process.execPath, file], module: { url: pathToFileURL(file).href } }
  }
  const library = pathToFileURL(join(guestPackage(), 'dist', 'index.js')).href
  return catalogueOf([
    {
      repository: 'mcr.microsoft.com/aci/skr',
      entrypoint: '/skr.sh',
      programs: {
        '/skr.sh': {
          command: [process.execPath, join(guestPackage(), 'bin', 'skerry-guest.mjs'), 'sidecar'],
          module: { url: pathToFileURL(join(images, 'skr', 'sidecar.mjs')).href, args: [library] },
        },
        '/tests/skr/attest_client.sh': client('attest-client.mjs'),
        '/tests/skr/skr_client.sh': client('skr-client.mjs'),
      },
    },
  ])
}

/** The guest is run as a program, by its path: nothing of it is imported here. */
function guestPackage(): string {
  return dirname(fileURLToPath(import.meta.resolve('@skerry/guest/package.json')))
}

/** Strips digest and tag; a name without a registry is Docker Hub's, as the service reads it. */
export function repositoryOf(reference: string): string {
  const name = reference.split('@')[0]!
  const slash = name.lastIndexOf('/')
  const colon = name.indexOf(':', slash + 1)
  return (colon < 0 ? name : name.slice(0, colon)).toLowerCase()
}
