import { type ChildProcess, execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { chmod, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { killProcess, startEventStore } from '../support/event-store-child.ts'
import { startWriters, type Writers } from '../support/event-store-writers.ts'
import { newEvent } from '../support/events.ts'
import { freePort } from '../support/free-port.ts'
import { type PostgresCluster, preparePostgres } from '../support/postgres.ts'
import { inTemporaryFolder } from '../support/temporary-folder.ts'
import { tearWal } from '../support/torn-wal.ts'

// limit: 180 s
const WRITERS = 20
const STORE_KILLS = 5
const MACHINE_KILLS = 3
const APPENDS_BETWEEN_KILLS = 400
const MEBIBYTE = 1_048_576

const run = promisify(execFile)

const test = suite('the embedded event store under kill -9')

type Scene = {
  readonly postgres: PostgresCluster
  readonly writers: Writers
  readonly server: () => ChildProcess
  /** Starts the event store again, once its process has ended. */
  readonly restart: () => Promise<void>
}

/** Postgres, an event store in a process of its own, and writers; all gone when `play` ends. */
const withScene = async (
  options: { readonly postgres?: Parameters<typeof preparePostgres>[0]; readonly newEvent?: typeof newEvent },
  play: (scene: Scene) => Promise<void>,
): Promise<void> => {
  const postgres = await preparePostgres(options.postgres)
  const order = { port: await freePort(), databaseUrl: postgres.url }
  let server: ChildProcess | undefined
  let writers: Writers | undefined
  try {
    await postgres.start()
    let started = (server = await startEventStore(order))
    writers = startWriters({ port: order.port, count: WRITERS, newEvent: options.newEvent ?? newEvent })
    const restart = async (): Promise<void> => {
      started = server = await startEventStore(order)
    }
    await play({ postgres, writers, server: () => started, restart })
    await writers.check()
  } finally {
    await writers?.close()
    if (server !== undefined) await killProcess(server)
    await postgres.remove()
  }
}

test('loses, doubles and reorders nothing that it has acknowledged', () =>
  withScene({}, async ({ writers, server, restart }) => {
    for (let kills = 0; kills < STORE_KILLS; kills++) {
      await writers.write(APPENDS_BETWEEN_KILLS)
      await killProcess(server())
      await restart()
    }
  }))

test('neither does it when its Postgres dies with it and the end of the write-ahead log is torn', () =>
  withScene({}, async ({ postgres, writers, server, restart }) => {
    for (let kills = 0; kills < MACHINE_KILLS; kills++) {
      await writers.write(APPENDS_BETWEEN_KILLS)
      await Promise.all([killProcess(server()), postgres.kill()])
      await tearWal(postgres)
      await postgres.start()
      await restart()
    }
    await writers.write(APPENDS_BETWEEN_KILLS)
  }))

const tmpfsRefused = async (folder: string): Promise<string | undefined> => {
  if (process.getuid?.() !== 0) return 'only root can mount a small file system'
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${96 * MEBIBYTE}`, 'tmpfs', folder])
    return undefined
  } catch (error) {
    return `no file system can be mounted here: ${error instanceof Error ? error.message.trim() : String(error)}`
  }
}

/** Events that fill a disk, as they cannot be compressed. */
const largeEvent = (): ReturnType<typeof newEvent> =>
  newEvent('Large', { text: randomBytes(12_000).toString('base64') })

test('it stops on a full disk, has lost nothing, and goes on once there is room', () =>
  inTemporaryFolder(async (folder) => {
    const refused = await tmpfsRefused(folder)
    if (refused !== undefined) {
      console.log(`SKIPPED the event store on a full disk: ${refused}`)
      return
    }
    try {
      await chmod(folder, 0o755)
      const ballast = join(folder, 'ballast')
      await writeFile(ballast, Buffer.alloc(32 * MEBIBYTE))
      const initial = ['--wal-segsize=1']
      const settings = ['min_wal_size=2MB', 'max_wal_size=4MB', 'shared_buffers=8MB']
      const options = { postgres: { within: folder, initial, settings }, newEvent: largeEvent }
      await withScene(options, async ({ postgres, writers, server, restart }) => {
        await writers.write(20)
        if (server().exitCode === null) await once(server(), 'exit')
        assert.is(server().exitCode, 1, 'it stopped because it had to')
        await rm(ballast)
        // Postgres itself may have given up.
        await postgres.kill()
        await postgres.start()
        await restart()
        await writers.write(100)
      })
    } finally {
      await run('umount', ['-l', folder])
    }
  }))

test.run()
