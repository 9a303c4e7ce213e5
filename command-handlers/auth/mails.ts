import type { Mail } from '../../domain/kernel/mail.ts'
import { derivedId } from '../ids.ts'

/** Whom to write to: an account whose login is an e-mail address. */
export type Reader = { readonly accountId: string; readonly login: string }

/** Whether mail reaches a login. */
export const isAddress = (login: string): boolean => /^[^\s@]+@[^\s@]+$/.test(login)

/** In the fragment, which browsers keep to themselves: it is in no log of ours and in no Referer. */
const link = (publicUrl: string, page: string, token: string): string =>
  `${publicUrl.replace(/\/$/, '')}/auth/${page}#token=${token}`

const mailTo = ({ accountId, login }: Reader, about: readonly string[], words: Pick<Mail, 'subject' | 'text'>): Mail => ({
  mailId: derivedId('mail', accountId, ...about),
  ownerId: accountId,
  to: login,
  ...words,
})

/** Asks whoever reads the mail of a login to say that it is his. */
export const confirmationMail = (reader: Reader, { token, publicUrl }: {
  readonly token: string
  readonly publicUrl: string
}): Mail =>
  mailTo(reader, ['confirm', token], {
    subject: 'Confirm your e-mail address',
    text: [
      `Someone, most likely you, registered at ${publicUrl} with this address.`,
      '',
      'To confirm that it is yours, open this within three days:',
      '',
      link(publicUrl, 'confirm', token),
      '',
      'or send the token below to POST /api/auth/confirm:',
      '',
      token,
      '',
      'If it was not you, do nothing.',
      '',
    ].join('\n'),
  })

/** Lets whoever reads the mail of a login set its password. */
export const resetMail = (reader: Reader, { token, publicUrl }: {
  readonly token: string
  readonly publicUrl: string
}): Mail =>
  mailTo(reader, ['reset', token], {
    subject: 'Set a new password',
    text: [
      `Someone, most likely you, asked for a new password for your account at ${publicUrl}.`,
      '',
      'To set one, open this within an hour. It works once:',
      '',
      link(publicUrl, 'reset', token),
      '',
      'or send the token below, with a password, to POST /api/auth/password-reset/complete:',
      '',
      token,
      '',
      'If it was not you, do nothing: your password is as it was.',
      '',
    ].join('\n'),
  })

/** Tells that a password is another, in case it was not its owner who changed it. */
export const passwordChangedMail = (reader: Reader, { commandId, publicUrl }: {
  readonly commandId: string
  readonly publicUrl: string
}): Mail =>
  mailTo(reader, ['password changed', commandId], {
    subject: 'Your password was changed',
    text: [
      `The password of your account at ${publicUrl} was changed, and other sessions have ended.`,
      '',
      'If it was not you, ask for a new password there now, and look through your OAuth2 clients.',
      '',
    ].join('\n'),
  })
