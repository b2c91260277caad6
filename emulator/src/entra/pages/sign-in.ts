import type { EmulatorContext, UserRecord } from '../../core/index.ts'
import { findUser, isPasswordOf, listUsers } from '../users.ts'
import { escapeHtml, page } from './html.ts'

/** Who looks at a page of the sign-in, as far as the door knows. */
export interface Visitor {
  /**
   * The door knows that this is the person (or the test) that the emulator belongs to: they see the users, and need no
   * password for those who have none. Anybody else, a workload in a container group above all, must know a password.
   */
  readonly owner: boolean
}

/** The user that a posted form signs in, or what to tell the person. */
export async function signIn(
  ctx: EmulatorContext,
  form: URLSearchParams,
  visitor: Visitor,
): Promise<UserRecord | string> {
  const user = findUser(ctx, form.get('user') ?? '')
  const mayPass = visitor.owner && user?.password === undefined
  if (user !== undefined && (mayPass || (await isPasswordOf(user, form.get('password') ?? '')))) return user
  return visitor.owner ? 'Choose a user; one who has a password needs it.' : 'User name or password is wrong.'
}

/** The fields of a form by which a person says who they are. */
export function userFields(ctx: EmulatorContext, visitor: Visitor, chosen = ''): string {
  const password = '<label>Password <input name="password" type="password" autocomplete="off"></label>'
  if (!visitor.owner) {
    return `<label>User name <input name="user" value="${escapeHtml(chosen)}" autocomplete="off" required></label>${password}`
  }
  const users = listUsers(ctx)
  if (users.length === 0) return '<p>The tenant has no users: name some in the seed.</p>'
  const choices = users.map(({ userPrincipalName: name, displayName, password: has }, at) => {
    const checked = name.toLowerCase() === chosen.toLowerCase() || (chosen === '' && at === 0) ? ' checked' : ''
    const label = `${escapeHtml(displayName)} (${escapeHtml(name)})${has ? ', with password' : ''}`
    return `<label><input type="radio" name="user" value="${escapeHtml(name)}"${checked}> ${label}</label>`
  })
  return choices.join('') + (users.some((user) => user.password !== undefined) ? password : '')
}

/**
 * Refuses a form that a page of another origin sent (cross-site request forgery): browsers say the origin of every POST.
 * Undefined when there is nothing against it.
 */
export function refuseForeignForm(request: Request): Response | undefined {
  const origin = request.headers.get('origin')
  const site = request.headers.get('sec-fetch-site')
  const isForeign =
    (origin !== null && origin !== new URL(request.url).origin) ||
    (site !== null && site !== 'same-origin' && site !== 'none')
  return isForeign ? page('Not from here', '<p>This form was sent by another page.</p>', 403) : undefined
}
