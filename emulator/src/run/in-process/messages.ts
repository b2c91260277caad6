import type { VirtualGuest } from '../../psp/types.ts'

/** The requests of a guest's processor that a program in a thread can make. */
export type GuestRequest = Exclude<keyof VirtualGuest, 'reportId'>

/** From the thread: one request to the processor. `request` is empty where the request takes nothing. */
export interface AskGuest {
  readonly id: number
  readonly kind: GuestRequest
  readonly request: Uint8Array
}

/** To the thread: the response, or how the request failed, as a driver would say it. */
export type GuestAnswer =
  | { readonly id: number; readonly response: Uint8Array }
  | ({ readonly id: number } & GuestFailure)

/** The two halves of exitinfo2, and the errno's number. */
export interface GuestFailure {
  readonly firmwareStatus: number
  readonly vmmStatus: number
  readonly errno: number
}

export interface ThreadData {
  readonly url: string
  readonly args: readonly string[]
}

/** What the `main` of a program's module gets. */
export interface ModuleHost {
  readonly args: readonly string[]
  /** The processor of the guest that the program runs in. Rejects with an error that has what GuestFailure has. */
  readonly guest: Pick<VirtualGuest, GuestRequest>
}
