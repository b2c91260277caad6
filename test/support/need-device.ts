import { createRunner } from '../../emulator/src/run/index.ts'

/** Ends a test that runs programs of its own where the machine gives them no SNP device, and says why. */
export async function needDevice({ skip }: { readonly skip: (note: string) => never }): Promise<void> {
  const { device, notices } = await createRunner().capabilities()
  if (device === 'none') skip(notices.join(' '))
}
