import { SettingsError } from '../core/outside.ts'

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

/**
 * Where events are posted.
 * @throws SettingsError for what is not a URL, has credentials in it, or is plain http to anything but loopback
 */
export function webhookUrl(text: string): URL {
  // Neither quoted nor shown: a webhook's URL often ends in a secret.
  if (!URL.canParse(text)) throw new SettingsError('eventWebhook', 'it is not a URL')
  const url = new URL(text)
  if (url.username !== '' || url.password !== '') {
    throw new SettingsError('eventWebhook', 'the URL must not have credentials in it')
  }
  if (url.protocol === 'https:' || (url.protocol === 'http:' && LOOPBACK.test(url.hostname))) return url
  throw new SettingsError('eventWebhook', `${url.origin} must be https, or http to loopback`)
}

/** The part of it that may be written down. */
export const shownUrl = ({ origin, pathname }: URL): string => `${origin}${pathname}`
