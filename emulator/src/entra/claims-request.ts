import * as v from 'valibot'

/** The one part of the `claims` parameter (OpenID Connect Core 1.0, section 5.5) that changes a token here. */
const CLAIMS = v.object({ access_token: v.object({ xms_cc: v.object({ values: v.array(v.string()) }) }) })

/**
 * What the client says it can handle: with `cp1` it understands claims challenges (Microsoft identity platform, "Claims
 * challenges, claims requests, and client capabilities"). The token repeats it as `xms_cc`. None where it says nothing
 * that can be read.
 */
export function clientCapabilities(form: URLSearchParams): { readonly xms_cc?: readonly string[] } {
  const asked = v.safeParse(CLAIMS, parsed(form.get('claims')))
  const known = asked.success && asked.output.access_token.xms_cc.values.some((one) => one.toUpperCase() === 'CP1')
  return known ? { xms_cc: ['CP1'] } : {}
}

function parsed(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return undefined
  }
}
