/** Thrown for what cannot be put into the tenant; `field` names the value of the request, `users[0].userPrincipalName` at a seed file is its caller's to say. */
export class DirectoryError extends Error {
  readonly code = 'ERR_DIRECTORY'
  readonly field: string
  constructor(field: string, message: string) {
    super(`${field}: ${message}`)
    this.name = 'DirectoryError'
    this.field = field
  }
}
