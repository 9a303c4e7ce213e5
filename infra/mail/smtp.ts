import { rootCertificates } from 'node:tls'
import { createTransport } from 'nodemailer'
import { z } from 'zod'
import { type From, letterOf, type Mailer, type Sending } from './mailer.ts'

const CONNECT_MS_MAX = 10_000
const QUIET_MS_MAX = 20_000
const CONNECTIONS_MAX = 5
const DEFAULT_PORTS: Readonly<Record<string, number>> = { 'smtp:': 25, 'smtps:': 465 }
const LOOPBACK = /^(127(\.\d+){3}|localhost|\[::1\])$/

/** What the transport tells of a failure. Its message is left alone: it quotes the server, who quotes the reader. */
const Fault = z.object({
  code: z.string().max(30).optional().catch(undefined),
  command: z.string().max(30).optional().catch(undefined),
  responseCode: z.int().optional().catch(undefined),
})

/** Codes under which the transport says that the server took the connection but not this mail. */
const ABOUT_THE_MAIL: ReadonlySet<string> = new Set(['EENVELOPE', 'EMESSAGE'])

const failureOf = (error: unknown): Sending => {
  const { code = 'unknown', command, responseCode } = Fault.catch({}).parse(error)
  const isRefused = ABOUT_THE_MAIL.has(code) && responseCode !== undefined && responseCode >= 500
  const where = command === undefined ? '' : ` at ${command}`
  const what = responseCode === undefined ? code : `${responseCode}`
  // An envelope without an answer of the server is one that the transport itself could not address.
  const isUnaddressable = code === 'EENVELOPE' && responseCode === undefined
  return { sent: false, because: `the mail server did not take it (${what}${where})`, forGood: isRefused || isUnaddressable }
}

/**
 * Sends mails over SMTP (RFC 5321).
 *
 * @param options.url `smtp://user:password@host:port`, or `smtps://` for TLS from the first byte. With `smtp://` the
 *   connection is encrypted as soon as the server offers it; `?tls=required` demands it, as do a user and password unless
 *   the server is on this machine
 * @param options.authorityPem whom to trust beside the usual authorities
 * @throws when the URL is none
 */
export const smtpMailer = ({ url, from, authorityPem }: {
  readonly url: string
  readonly from: From
  readonly authorityPem?: string | undefined
}): Mailer => {
  const { protocol, hostname, port, username, password, searchParams } = new URL(url)
  const withUser = username !== '' && !LOOPBACK.test(hostname)
  const transport = createTransport({
    pool: true,
    maxConnections: CONNECTIONS_MAX,
    host: hostname.replaceAll(/[[\]]/g, ''),
    port: port === '' ? (DEFAULT_PORTS[protocol] ?? 25) : Number(port),
    secure: protocol === 'smtps:',
    requireTLS: protocol === 'smtp:' && (withUser || searchParams.get('tls') === 'required'),
    ...(username === '' ? {} : { auth: { user: decodeURIComponent(username), pass: decodeURIComponent(password) } }),
    ...(authorityPem === undefined ? {} : { tls: { ca: [...rootCertificates, authorityPem] } }),
    connectionTimeout: CONNECT_MS_MAX,
    greetingTimeout: CONNECT_MS_MAX,
    socketTimeout: QUIET_MS_MAX,
    disableFileAccess: true,
    disableUrlAccess: true,
  })
  return {
    send: async (mail, putAt) => {
      try {
        await transport.sendMail(letterOf(mail, { from, putAt }))
        return { sent: true }
      } catch (error) {
        return failureOf(error)
      }
    },
    close: () => transport.close(),
  }
}
