import { createHash } from 'node:crypto'
import { createConnection, type Connection, type RowDataPacket } from 'mysql2/promise'
import { within } from '../within.ts'
import { type ControllerStore, Occupied } from './controller-store.ts'
import type { Asking } from './mysql.ts'

/** The server frees the lock of a holder it has not heard of for so long. */
const SILENCE_MAX_SECONDS = 10
/** The holder counts it as lost before the server may have freed it. */
const VOUCHED_MS = 8_000
const BEAT_MS = 2_000

type Options = { readonly asking: Asking; readonly url: string; readonly connectTimeoutMs: number }

/**
 * Locks of nodes, each on a connection of its own: a process that dies leaves none behind, one whose machine is gone does
 * not for long.
 */
export const nodeLocks = ({ asking, url, connectTimeoutMs }: Options): Pick<ControllerStore, 'exclusively'> => ({
  async exclusively(nodeId, work, { waitMs, signal }) {
    signal?.throwIfAborted()
    const connection = await asking('lock a node', async () => {
      const one = await createConnection({ uri: url, connectTimeout: connectTimeoutMs })
      // One that ends while nobody asks it anything must not end the process.
      one.on('error', () => undefined)
      return one
    })
    try {
      await (signal === undefined ? lock(connection, nodeId, waitMs) : within(signal, () => lock(connection, nodeId, waitMs)))
      return await vouched(connection, signal, work)
    } finally {
      // The end of the connection is the end of the lock.
      connection.destroy()
    }
  },
})

const lock = async (connection: Connection, nodeId: string, waitMs: number): Promise<void> => {
  // A name may have 64 characters.
  const name = `ccx-node-${createHash('sha256').update(nodeId).digest('hex').slice(0, 48)}`
  let got: unknown
  try {
    await connection.query(`set session wait_timeout = ${SILENCE_MAX_SECONDS}`)
    const [rows] = await connection.query<RowDataPacket[]>('select get_lock(?, ?) as got', [name, waitMs / 1_000])
    got = rows[0]?.['got']
  } catch (cause) {
    throw new Error('CMON DB could not lock a node', { cause })
  }
  if (got !== 1) throw new Occupied('somebody else works on the node')
}

/** Does the work under a signal that is aborted once the lock may be somebody else's. */
const vouched = async <T>(
  connection: Connection,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> => {
  const lost = new AbortController()
  const lose = (): void => lost.abort(new Error('the lock of the node is lost'))
  let heardMs = performance.now()
  let isAsking = false
  const beat = async (): Promise<void> => {
    if (performance.now() - heardMs > VOUCHED_MS) return lose()
    if (isAsking) return
    isAsking = true
    const sentMs = performance.now()
    await connection.query('do 1').then(() => { heardMs = sentMs }, lose)
    isAsking = false
  }
  const beats = setInterval(() => void beat(), BEAT_MS)
  connection.once('error', lose)
  connection.once('end', lose)
  try {
    return await work(signal === undefined ? lost.signal : AbortSignal.any([lost.signal, signal]))
  } finally {
    clearInterval(beats)
    connection.removeListener('error', lose)
    connection.removeListener('end', lose)
  }
}
