import { createTransport, type SendMailOptions } from 'nodemailer'
import type { Mail } from '../../domain/kernel/mail.ts'

/** What came of an attempt. `because` holds no word of the server's: it may name the reader. */
export type Sending =
  | { readonly sent: true }
  /** `forGood`: the server will not take this mail however often it is tried. */
  | { readonly sent: false; readonly because: string; readonly forGood: boolean }

/** How mails leave. The same mail sent twice bears the same Message-ID. */
export type Mailer = {
  /** @throws never: what goes wrong is told in the result */
  readonly send: (mail: Mail, putAt: Date) => Promise<Sending>
  readonly close: () => void
}

/** Whom mails come from, as `Name <address>` or a bare address. */
export type From = string

const domainOf = (from: From): string => /@([^\s<>@]+)>?\s*$/.exec(from)?.[1] ?? 'localhost'

/** A mail in the transport's terms. Addresses go in as values, so that a comma in one makes no second reader. */
export const letterOf = ({ mailId, to, subject, text }: Mail, { from, putAt }: {
  readonly from: From
  readonly putAt: Date
}): SendMailOptions => ({
  from,
  to: [{ name: '', address: to }],
  subject,
  text,
  date: putAt,
  messageId: `<${mailId}@${domainOf(from)}>`,
  // RFC 3834: no out-of-office answers, please.
  headers: { 'Auto-Submitted': 'auto-generated' },
  disableFileAccess: true,
  disableUrlAccess: true,
})

/** The message as it goes over the wire (RFC 5322). */
export const composed = async (mail: Mail, options: { readonly from: From; readonly putAt: Date }): Promise<Buffer> => {
  const transport = createTransport({ streamTransport: true, buffer: true, newline: 'windows' })
  const { message } = await transport.sendMail(letterOf(mail, options))
  if (!Buffer.isBuffer(message)) throw new Error('BUG: the transport was asked for a buffer')
  return message
}

const ENCODING = /^content-transfer-encoding: *(\S+)/im

/** A message of ours as a person reads it: its headers, and its text without its encoding (RFC 2045, section 6). */
export const readable = (message: string): string => {
  const [head = '', ...rest] = message.replaceAll('\r\n', '\n').split('\n\n')
  const body = rest.join('\n\n')
  const encoding = ENCODING.exec(head)?.[1]?.toLowerCase()
  if (encoding === 'base64') return `${head}\n\n${Buffer.from(body, 'base64').toString()}`
  if (encoding !== 'quoted-printable') return `${head}\n\n${body}`
  const byteOf = (_: string, hex: string): string => String.fromCharCode(Number.parseInt(hex, 16))
  const bytes = body.replaceAll('=\n', '').replaceAll(/=([0-9A-Fa-f]{2})/g, byteOf)
  return `${head}\n\n${Buffer.from(bytes, 'latin1').toString()}`
}
