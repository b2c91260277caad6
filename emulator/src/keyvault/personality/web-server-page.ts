import type { PlainAnswer } from '../../core/index.ts'

/**
 * What stands before a vault is a web server with rules of its own: a path with one of these characters, decoded, never
 * reaches the service (ASP.NET, "requestPathInvalidCharacters", whose default these are; a percent sign was seen to be
 * refused by the live service). It answers with a page for people.
 */
const REFUSED = /[<>*%&:\\?]/

export function isRefusedByWebServer(pathname: string): boolean {
  try {
    return REFUSED.test(decodeURIComponent(pathname))
  } catch {
    // Escapes that decode to nothing: the percent sign stands for itself.
    return true
  }
}

/** Headers of that answer are the web server's, too: no `x-ms-*` among them. */
export function webServerPage(): PlainAnswer {
  const headers = {
    'Cache-Control': 'private',
    'Content-Type': 'text/html; charset=utf-8',
    'X-Content-Type-Options': 'nosniff',
    'Strict-Transport-Security': 'max-age=31536000;includeSubDomains',
  }
  return { status: 400, headers, body: PAGE }
}

const PAGE = [
  '<!DOCTYPE html>',
  '<html>',
  '    <head>',
  '        <title>Runtime Error</title>',
  '    </head>',
  '    <body>',
  "        <h1>Server Error in '/' Application.</h1>",
  '        <h2>Runtime Error</h2>',
  '        <p>The web server in front of the vault does not pass this path on. (Skerry answers so in its place.)</p>',
  '    </body>',
  '</html>',
  '',
].join('\r\n')
