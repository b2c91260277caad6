/** The names of the public cloud's token service (its instance discovery lists them as one). */
export const ENTRA_HOSTS = [
  'login.microsoftonline.com',
  'login.windows.net',
  'login.microsoft.com',
  'sts.windows.net',
] as const
