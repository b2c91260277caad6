import { createHttpHeaders, type HttpClient, type PipelineRequest } from '@azure/core-rest-pipeline'

/** For tests: lets a client of the Azure SDK send its requests to services in this process. */
export function sdkHttpClient(fetch: (request: Request) => Promise<Response>): HttpClient {
  return {
    async sendRequest(request: PipelineRequest) {
      const { url, method, body } = request
      const headers = new Headers([...request.headers].map(([name, value]) => [name, value]))
      const response = await fetch(new Request(url, { method, headers, ...(body ? { body: body as string } : {}) }))
      return {
        request,
        status: response.status,
        headers: createHttpHeaders(Object.fromEntries(response.headers)),
        bodyAsText: await response.text(),
      }
    },
  }
}
