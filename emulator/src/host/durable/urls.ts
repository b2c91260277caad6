/** Where the extension's HTTP API is, and what of it a client is told. */
export interface DurableAddress {
  /** `http://localhost:7071/runtime/webhooks/durabletask` */
  readonly webhookBase: string
  readonly hubName: string
  readonly connectionName: string
  /** The system key; undefined: keys are off. */
  readonly key: string | undefined
}

/** The URLs of one instance, by the names under which the extension answers them. */
export function managementUrls(address: DurableAddress, instanceId: string): Record<string, string> {
  const instance = `${address.webhookBase}/instances/${encodeURIComponent(instanceId)}`
  const query = requiredQuery(address)
  return {
    statusQueryGetUri: `${instance}?${query}`,
    sendEventPostUri: `${instance}/raiseEvent/{eventName}?${query}`,
    terminatePostUri: `${instance}/terminate?reason={text}&${query}`,
    rewindPostUri: `${instance}/rewind?reason={text}&${query}`,
    purgeHistoryDeleteUri: `${instance}?${query}`,
    restartPostUri: `${instance}/restart?${query}`,
    suspendPostUri: `${instance}/suspend?reason={text}&${query}`,
    resumePostUri: `${instance}/resume?reason={text}&${query}`,
  }
}

/** The data of the durableClient input binding, as JSON. With `rpcBaseUrl` the client uses nothing else. */
export function durableClientJson(address: DurableAddress, rpcBaseUrl: string | null): string {
  const code = address.key === undefined ? '' : `code=${address.key}`
  const start = `${address.webhookBase}/orchestrators/{functionName}[/{instanceId}]`
  return JSON.stringify({
    taskHubName: address.hubName,
    creationUrls: {
      createNewInstancePostUri: `${start}?${code}`,
      createAndWaitOnNewInstancePostUri: `${start}?timeout={timeoutInSeconds}&pollingInterval={intervalInSeconds}&${code}`,
    },
    managementUrls: { id: 'INSTANCEID', ...managementUrls(address, 'INSTANCEID') },
    baseUrl: address.webhookBase,
    requiredQueryStringParameters: code,
    rpcBaseUrl,
    httpBaseUrl: null,
    connectionName: null,
  })
}

function requiredQuery({ hubName, connectionName, key }: DurableAddress): string {
  const query = `taskHub=${hubName}&connection=${connectionName}`
  return key === undefined ? query : `${query}&code=${key}`
}
