/** A refusal of Microsoft Graph: `{"error": {"code", "message", "innerError"}}`. */
export class GraphError extends Error {
  readonly status: 400 | 401 | 403 | 404 | 501
  readonly code: string
  constructor(status: GraphError['status'], code: string, message: string) {
    super(message)
    this.name = 'GraphError'
    this.status = status
    this.code = code
  }
}

export const graphErrors = {
  missingToken: () => new GraphError(401, 'InvalidAuthenticationToken', 'Access token is empty.'),
  invalidToken: (why: string) =>
    new GraphError(401, 'InvalidAuthenticationToken', `Access token validation failure. ${why}`),
  denied: () =>
    new GraphError(403, 'Authorization_RequestDenied', 'Insufficient privileges to complete the operation.'),
  notFound: (id: string) =>
    new GraphError(
      404,
      'Request_ResourceNotFound',
      `Resource '${id}' does not exist or one of its queried reference-property objects are not present.`,
    ),
  notDelegated: () =>
    new GraphError(400, 'BadRequest', '/me request is only valid with delegated authentication flow.'),
  badRequest: (message: string) => new GraphError(400, 'Request_BadRequest', message),
  notCovered: (what: string) =>
    new GraphError(501, 'SkerryNotCovered', `Skerry does not cover ${what} of Microsoft Graph.`),
}
