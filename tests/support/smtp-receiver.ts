import { once } from 'node:events'
import { createServer, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { TLSSocket } from 'node:tls'

/** A mail as it arrived. */
export type Arrived = {
  readonly from: string
  readonly to: readonly string[]
  readonly message: string
  readonly messageId: string
  readonly encrypted: boolean
  readonly user: string | undefined
}

export type Answers = {
  /** What to answer to a reader; undefined: he is taken. */
  readonly onReader?: (address: string) => string | undefined
  /** Told of each mail before it is answered; false: the answer never comes. */
  readonly onMail?: (mail: Arrived) => boolean
  /** With them STARTTLS is offered. */
  readonly tls?: { readonly cert: string; readonly key: string }
}

const addressOf = (line: string): string => /<([^>]*)>/.exec(line)?.[1] ?? ''

/** One conversation (RFC 5321, section 3), as much of it as a client of ours needs. */
const converse = (plain: Socket, answers: Answers, arrived: Arrived[]): void => {
  let socket: Socket = plain
  let user: string | undefined
  let from = ''
  let to: string[] = []
  let body: string[] | undefined
  const say = (text: string): void => void socket.write(`${text}\r\n`)

  const endMail = (lines: readonly string[]): void => {
    const message = lines.map((line) => (line.startsWith('.') ? line.slice(1) : line)).join('\r\n')
    const messageId = /^message-id: *(\S+)/im.exec(message)?.[1] ?? ''
    const mail = { from, to, message, messageId, encrypted: socket instanceof TLSSocket, user }
    arrived.push(mail)
    if (answers.onMail?.(mail) ?? true) say('250 kept')
  }

  const listen = (): void => {
    const lines = createInterface({ input: socket, crlfDelay: Infinity })
    lines.on('error', () => undefined)
    lines.on('line', (line) => {
      if (body !== undefined) {
        if (line !== '.') return void body.push(line)
        const whole = body
        body = undefined
        return endMail(whole)
      }
      const word = line.slice(0, 4).toUpperCase()
      if (word === 'EHLO') {
        const offered = answers.tls !== undefined && !(socket instanceof TLSSocket) ? ['STARTTLS'] : ['AUTH PLAIN']
        say(['receiver.test', ...offered].map((text, n, { length }) => `250${n === length - 1 ? ' ' : '-'}${text}`).join('\r\n'))
      } else if (word === 'STAR' && answers.tls !== undefined) {
        lines.close()
        plain.write('220 go on\r\n')
        socket = new TLSSocket(plain, { isServer: true, ...answers.tls })
        socket.on('error', () => undefined)
        listen()
      } else if (word === 'AUTH') {
        user = Buffer.from(line.split(' ')[2] ?? '', 'base64').toString().split('\0')[1]
        say('235 welcome')
      } else if (word === 'MAIL') {
        from = addressOf(line)
        to = []
        say('250 go on')
      } else if (word === 'RCPT') {
        const refusal = answers.onReader?.(addressOf(line))
        if (refusal === undefined) to.push(addressOf(line))
        say(refusal ?? '250 go on')
      } else if (word === 'DATA') {
        body = []
        say('354 go on')
      } else if (word === 'QUIT') {
        say('221 bye')
        socket.end()
      } else {
        say('250 fine')
      }
    })
  }
  plain.on('error', () => undefined)
  listen()
  say('220 receiver.test')
}

/** A mail server for tests, on a free port of 127.0.0.1: it keeps what arrives. */
export const startSmtpReceiver = async (answers: Answers = {}) => {
  const arrived: Arrived[] = []
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    converse(socket, answers, arrived)
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('BUG: a TCP server has a port')
  return {
    port: address.port,
    url: `smtp://127.0.0.1:${address.port}`,
    arrived,
    close: async (): Promise<void> => {
      const closed = once(server, 'close')
      server.close()
      for (const socket of sockets) socket.destroy()
      await closed
    },
  }
}
