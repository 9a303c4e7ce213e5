import { chown, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { connect } from 'nats'
import type { Child, User } from './child.ts'

export type NatsOptions = {
  readonly bin: (name: string) => string
  /** Exists, and belongs to `user`. */
  readonly folder: string
  readonly user: User | undefined
  readonly port: number
  readonly password: string
  readonly env: Readonly<Record<string, string>>
}

const USER = 'ccx'

/** Where the embedded broker is. */
export const natsUrl = (port: number, password: string): string =>
  `nats://${USER}:${encodeURIComponent(password)}@127.0.0.1:${port}`

/** The embedded nats-server with JetStream: on loopback only, nobody enters without the password. */
export const nats = ({ bin, folder, user, port, password, env }: NatsOptions): Child => {
  const configFile = join(folder, 'nats.conf')
  return {
    name: 'nats',
    ports: [port],
    argv: [bin('nats-server'), '--config', configFile],
    env,
    cwd: folder,
    ...(user === undefined ? {} : { user }),
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 15_000,
    readyWithinMs: 60_000,
    prepare: async () => {
      const config = [
        'host: "127.0.0.1"',
        `port: ${port}`,
        `jetstream { store_dir: ${JSON.stringify(join(folder, 'jetstream'))} }`,
        `authorization { user: ${USER}, password: ${JSON.stringify(password)} }`,
        'max_payload: 4MB',
        '',
      ]
      await writeFile(configFile, config.join('\n'), { mode: 0o600 })
      if (user !== undefined) await chown(configFile, user.uid, user.gid)
    },
    ready: async () => {
      const connection = await connect({
        servers: `127.0.0.1:${port}`, user: USER, pass: password, reconnect: false, timeout: 5_000,
      })
      try {
        await (await connection.jetstreamManager()).getAccountInfo()
        return true
      } finally {
        await connection.close()
      }
    },
  }
}
