import { once } from 'node:events'
import { createConnection, type Socket } from 'node:net'

const MESSAGE_BYTES_MAX = 65_535

/** Puts the length before a message, as DNS over TCP wants it (RFC 1035, 4.2.2). */
export const framed = (message: Buffer): Buffer => {
  if (message.length > MESSAGE_BYTES_MAX) throw new Error('BUG: a DNS message is too long for TCP')
  return Buffer.concat([Buffer.from([message.length >> 8, message.length & 0xff]), message])
}

/** Cuts a TCP stream into messages. */
export async function* messagesOf(socket: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let pending = Buffer.alloc(0)
  for await (const chunk of socket) {
    pending = Buffer.concat([pending, chunk])
    for (;;) {
      if (pending.length < 2) break
      const end = 2 + pending.readUInt16BE(0)
      if (pending.length < end) break
      yield Buffer.from(pending.subarray(2, end))
      pending = pending.subarray(end)
    }
  }
}

const connected = async (host: string, port: number, timeoutMs: number): Promise<Socket> => {
  const socket = createConnection({ host, port })
  socket.setTimeout(timeoutMs, () => socket.destroy(new Error(`no answer within ${timeoutMs} ms`)))
  try {
    await once(socket, 'connect')
    return socket
  } catch (cause) {
    socket.destroy()
    throw cause
  }
}

/**
 * Sends one message over TCP and hands every message of the answer to `take` until that says it has all.
 *
 * @param timeoutMs how long the server may be silent
 * @throws when the server cannot be reached, falls silent or ends too early
 */
export const exchange = async (
  { host, port, timeoutMs }: { readonly host: string; readonly port: number; readonly timeoutMs: number },
  message: Buffer,
  take: (answer: Buffer) => 'more' | 'done',
): Promise<void> => {
  const socket = await connected(host, port, timeoutMs)
  try {
    socket.write(framed(message))
    for await (const answer of messagesOf(socket)) if (take(answer) === 'done') return
    throw new Error('the connection ended before the answer did')
  } finally {
    socket.destroy()
  }
}
