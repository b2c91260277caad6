import type { EmulatorContext } from '../../core/index.ts'
import { approveDeviceCode, declineDeviceCode, findDeviceCode, type PendingDeviceCode } from '../device-codes.ts'
import { DirectoryError } from '../directory-error.ts'
import { escapeHtml, page } from './html.ts'
import { refuseForeignForm, signIn, userFields, type Visitor } from './sign-in.ts'

/**
 * The page of the device flow: a person types the code that a device shows, sees who asks for what, and signs in. Two
 * steps, so that nobody signs in at a device they did not read the name of.
 */
export async function devicePage(ctx: EmulatorContext, request: Request, visitor: Visitor): Promise<Response> {
  if (request.method === 'GET') return codeForm()
  if (request.method !== 'POST') return page('Not allowed', '<p>GET or POST only.</p>', 405)
  const foreign = refuseForeignForm(request)
  if (foreign !== undefined) return foreign
  const form = new URLSearchParams(await request.text())
  try {
    const waiting = findDeviceCode(ctx, form.get('code') ?? '')
    const action = form.get('action')
    if (action === 'decline') {
      declineDeviceCode(ctx, waiting.userCode)
      return page('Not signed in', `<p>${escapeHtml(waiting.clientName)} was told no. You may close this page.</p>`)
    }
    if (action !== 'approve') return userForm(ctx, visitor, waiting)
    const user = await signIn(ctx, form, visitor)
    if (typeof user === 'string') return userForm(ctx, visitor, waiting, user)
    approveDeviceCode(ctx, waiting.userCode, user.objectId)
    const who = `${escapeHtml(user.displayName)} (${escapeHtml(user.userPrincipalName)})`
    return page('Signed in', `<p>${escapeHtml(waiting.clientName)} goes on as ${who}. You may close this page.</p>`)
  } catch (error) {
    if (!(error instanceof DirectoryError)) throw error
    return codeForm('That code is not known, or it has expired.')
  }
}

function codeForm(problem?: string): Response {
  const body = `${told(problem)}<form method="post"><label>Code <input name="code" autocomplete="off" autofocus required maxlength="20"></label><button>Next</button></form>`
  return page('Enter the code shown by the device', body, problem === undefined ? 200 : 400)
}

function userForm(ctx: EmulatorContext, visitor: Visitor, waiting: PendingDeviceCode, problem?: string): Response {
  const what = `<p><strong>${escapeHtml(waiting.clientName)}</strong> (${escapeHtml(waiting.clientId)}) wants to sign you in for ${escapeHtml(waiting.scope)}.</p>`
  const body = `${told(problem)}${what}<form method="post"><input type="hidden" name="code" value="${escapeHtml(waiting.userCode)}">${userFields(ctx, visitor)}<button name="action" value="approve">Sign in</button><button name="action" value="decline" formnovalidate>Cancel</button></form>`
  return page('Sign in at a device', body, problem === undefined ? 200 : 400)
}

function told(problem: string | undefined): string {
  return problem === undefined ? '' : `<p role="alert"><strong>${escapeHtml(problem)}</strong></p>`
}
