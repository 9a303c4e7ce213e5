import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { createConnection } from 'node:net'
import { decode, encode, streamEncode, type Answer, type DecodedPacket, type RecordType } from 'dns-packet'

export type Asked = { readonly name: string; readonly type: RecordType }

export type Told = {
  readonly rcode: string
  readonly authoritative: boolean
  readonly truncated: boolean
  readonly answers: readonly Answer[]
  readonly authorities: readonly Answer[]
}

const ANSWER_TIMEOUT_MS = 5_000
const RECURSION_DESIRED = 256

/** The four low bits of the flags, by name; dns-packet's types leave the field out. */
const rcodeOf = (bytes: Buffer): string =>
  ['NOERROR', 'FORMERR', 'SERVFAIL', 'NXDOMAIN', 'NOTIMP', 'REFUSED', '6', '7', '8', 'NOTAUTH', 'NOTZONE'][
    bytes.readUInt8(3) & 0xf
  ] ?? 'unknown'

const told = (bytes: Buffer, packet: DecodedPacket): Told => ({
  rcode: rcodeOf(bytes),
  authoritative: packet.flag_aa,
  truncated: packet.flag_tc,
  answers: packet.answers ?? [],
  authorities: packet.authorities ?? [],
})

/** Sends bytes over UDP and gives the bytes that come back. */
export const sendUdp = async (port: number, bytes: Buffer): Promise<Buffer> => {
  const socket = createSocket('udp4')
  try {
    const signal = AbortSignal.timeout(ANSWER_TIMEOUT_MS)
    socket.send(bytes, port, '127.0.0.1')
    const [answer]: unknown[] = await once(socket, 'message', { signal })
    if (!Buffer.isBuffer(answer)) throw new Error('BUG: a datagram is bytes')
    return answer
  } finally {
    socket.close()
  }
}

/** Asks over UDP, with a codec that is not ours. */
export const ask = async ({ port }: { readonly port: number }, asked: Asked): Promise<Told> => {
  const query = encode({ type: 'query', id: 7, flags: RECURSION_DESIRED, questions: [asked] })
  const bytes = await sendUdp(port, query)
  return told(bytes, decode(bytes))
}

/** Asks over TCP. */
export const askTcp = async ({ port }: { readonly port: number }, asked: Asked): Promise<Told> => {
  const socket = createConnection({ port, host: '127.0.0.1', timeout: ANSWER_TIMEOUT_MS })
  try {
    socket.write(streamEncode({ type: 'query', id: 7, questions: [asked] }))
    let bytes = Buffer.alloc(0)
    for await (const chunk of socket) {
      bytes = Buffer.concat([bytes, chunk])
      if (bytes.length >= 2 && bytes.length >= 2 + bytes.readUInt16BE(0)) break
    }
    return told(bytes.subarray(2), decode(bytes.subarray(2)))
  } finally {
    socket.destroy()
  }
}

/** The addresses of a name, as any resolver would be told. */
export const addressesOf = async (server: { readonly port: number }, name: string): Promise<readonly string[]> =>
  (await ask(server, { name, type: 'A' })).answers.flatMap((one) => (one.type === 'A' ? [one.data] : [])).toSorted()
