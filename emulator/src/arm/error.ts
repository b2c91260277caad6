import { ContainerGroupError } from '../aci/index.ts'
import { TemplateError } from './template/index.ts'

/** The error shape of Azure Resource Manager (`error` of every refusal, and of a failed deployment). */
export interface ErrorBody {
  readonly code: string
  readonly message: string
  readonly target?: string
  readonly details?: readonly ErrorBody[]
  readonly additionalInfo?: readonly { readonly type: string; readonly info: unknown }[]
}

/** A request that Resource Manager or a provider refuses: answered with `status` and `{error: body}`. */
export class ArmError extends Error {
  readonly status: number
  readonly body: ErrorBody
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, body: ErrorBody, headers: Readonly<Record<string, string>> = {}) {
    super(body.message)
    this.name = 'ArmError'
    this.status = status
    this.body = body
    this.headers = headers
  }

  get code(): string {
    return this.body.code
  }
}

/** What Skerry has no part for: 501, and the message says what. */
export function notCovered(what: string): ArmError {
  return new ArmError(501, { code: 'SkerryNotCovered', message: `Skerry does not cover ${what}.` })
}

/** Anything a handler may throw, as the answer it stands for; undefined when it is a fault of the emulator itself. */
export function asArmError(error: unknown): ArmError | undefined {
  if (error instanceof ArmError) return error
  if (error instanceof ContainerGroupError) {
    return new ArmError(error.status, { code: error.code, message: error.message })
  }
  if (error instanceof TemplateError) {
    const info = error.path === undefined ? undefined : { lineNumber: 0, linePosition: 0, path: error.path }
    return new ArmError(400, {
      code: error.code,
      message: error.message,
      ...(info !== undefined && { additionalInfo: [{ type: 'TemplateViolation', info }] }),
    })
  }
  return undefined
}

export const armErrors = {
  resourceGroupNotFound: (group: string) =>
    new ArmError(404, { code: 'ResourceGroupNotFound', message: `Resource group '${group}' could not be found.` }),
  resourceNotFound: (typeAndName: string, group: string) =>
    new ArmError(404, {
      code: 'ResourceNotFound',
      message: `The Resource '${typeAndName}' under resource group '${group}' was not found. For more details please go to https://aka.ms/ARMResourceNotFoundFix`,
    }),
  subscriptionNotFound: (id: string) =>
    new ArmError(404, { code: 'SubscriptionNotFound', message: `The subscription '${id}' could not be found.` }),
  invalidContent: (why: string) =>
    new ArmError(400, {
      code: 'InvalidRequestContent',
      message: `The request content was invalid and could not be deserialized: '${why}'.`,
    }),
}
