import type { ChildProcess } from 'node:child_process'
import {
  EventStoreDBClient, persistentSubscriptionToAllSettingsFromDefaults, persistentSubscriptionToStreamSettingsFromDefaults,
  START, streamNameFilter,
} from '@eventstore/db-client'
import grpc from '@eventstore/db-client/generated/persistent_grpc_pb.js'
import messages from '@eventstore/db-client/generated/persistent_pb.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import { credentials } from '@grpc/grpc-js'
import pg from 'pg'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { watch } from '../support/consumers.ts'
import { killProcess, startEventStore } from '../support/event-store-child.ts'
import { newStream } from '../support/events.ts'
import { freePort } from '../support/free-port.ts'
import { startPostgres } from '../support/postgres.ts'
import { collect, numbered } from '../support/raw-client.ts'
import { until } from '../support/until.ts'

const PROMPTLY = { withinMs: 20_000 }
const GROUP = 'workers'

type Context = {
  postgres: Awaited<ReturnType<typeof startPostgres>>
  order: { readonly port: number; readonly databaseUrl: string }
  server: ChildProcess
}

const connect = ({ order }: Context) => EventStoreDBClient.connectionString(`esdb://127.0.0.1:${order.port}?tls=false`)

const test = suite<Context>('persistent subscriptions in trouble')

test.before(async (context) => {
  context.postgres = await startPostgres()
  context.order = { port: await freePort(), databaseUrl: context.postgres.url }
  context.server = await startEventStore(context.order)
})
test.after(async ({ server, postgres }) => {
  await killProcess(server)
  await postgres.stop()
})

/** Kills the server, lets the client go, and starts both anew. */
const restarted = async (context: Context, client: EventStoreDBClient): Promise<EventStoreDBClient> => {
  await killProcess(context.server)
  await client.dispose()
  context.server = await startEventStore(context.order)
  return connect(context)
}

const upTo = (count: number, from = 0) => Array.from({ length: count - from }, (_, i) => from + i)

test('nothing before the checkpoint comes again, everything unanswered does', async (context) => {
  let client = connect(context)
  const stream = newStream()
  await client.appendToStream(stream, numbered(40))
  const settings = { startFrom: START, checkPointAfter: 1, checkPointLowerBound: 1, checkPointUpperBound: 5 } as const
  await client.createPersistentSubscriptionToStream(stream, GROUP, persistentSubscriptionToStreamSettingsFromDefaults(settings))
  const join = () => client.subscribeToPersistentSubscriptionToStream(stream, GROUP, { bufferSize: 40 })
  // Number 17 is never answered, so the checkpoint cannot pass it.
  const first = watch(join(), async (event, it) => (event.event?.revision === 17n ? undefined : it.ack(event)))
  await until(async () => {
    const { stats } = await client.getPersistentSubscriptionToStreamInfo(stream, GROUP)
    return stats.lastCheckpointedEventRevision === 16n && stats.outstandingMessagesCount === 1
  }, PROMPTLY)
  assert.is(first.events.length, 40)
  const checkpoints = `$persistentsubscription-${stream}::${GROUP}-checkpoint`
  await until(async () => (await collect(client.readStream(checkpoints))).at(-1)?.event?.data === '16', PROMPTLY)

  client = await restarted(context, client)
  const again = watch(join(), async (event, it) => it.ack(event))
  await until(() => again.events.length === 23, PROMPTLY)
  assert.equal(again.numbers(), upTo(40, 17))
  await until(async () => (await collect(client.readStream(checkpoints))).at(-1)?.event?.data === '39', PROMPTLY)

  client = await restarted(context, client)
  const last = watch(join(), async (event, it) => it.ack(event))
  await until(() => last.isConfirmed(), PROMPTLY)
  await client.appendToStream(stream, numbered(41).slice(40))
  await until(() => last.events.length === 1, PROMPTLY)
  assert.equal(last.numbers(), [40])
  await client.dispose()
})

test('what came since a group was made to begin at the end is not lost, although there is no checkpoint', async (context) => {
  let client = connect(context)
  const stream = newStream()
  await client.appendToStream(stream, numbered(3))
  await client.createPersistentSubscriptionToStream(stream, GROUP, persistentSubscriptionToStreamSettingsFromDefaults())
  await client.appendToStream(stream, numbered(5).slice(3))
  client = await restarted(context, client)
  const seen = watch(client.subscribeToPersistentSubscriptionToStream(stream, GROUP), async (event, it) => it.ack(event))
  await until(() => seen.events.length === 2, PROMPTLY)
  assert.equal(seen.numbers(), [3, 4])
  await client.dispose()
})

test('groups, their settings, filters and parked events are there again', async (context) => {
  let client = connect(context)
  const [noun, group] = [newStream('kept'), newStream('group')]
  const settings = persistentSubscriptionToAllSettingsFromDefaults({ startFrom: START, maxRetryCount: 42 })
  await client.createPersistentSubscriptionToAll(group, settings, { filter: streamNameFilter({ regex: `^${noun}` }) })
  await client.appendToStream(newStream(), numbered(3))
  await client.appendToStream(`${noun}-1`, numbered(3))
  const join = () => client.subscribeToPersistentSubscriptionToAll(group)
  const info = async () => (await client.getPersistentSubscriptionToAllInfo(group)).stats
  watch(join(), async (event, it) => it.nack('park', 'because', event))
  await until(async () => (await info()).parkedMessageCount === 3n, PROMPTLY)

  client = await restarted(context, client)
  assert.is((await info()).parkedMessageCount, 3n)
  assert.equal((await client.getPersistentSubscriptionToAllInfo(group)).settings, settings)
  await client.replayParkedMessagesToAll(group)
  // Sent again, but not answered: the next restart must not lose them.
  const unanswered = watch(join(), async (event, it) => (event.link === undefined ? it.ack(event) : undefined))
  await until(() => unanswered.events.filter(({ link }) => link !== undefined).length === 3, PROMPTLY)

  client = await restarted(context, client)
  assert.is((await info()).parkedMessageCount, 3n)
  await client.replayParkedMessagesToAll(group)
  const answered = watch(join(), async (event, it) => it.ack(event))
  const replayed = () => answered.events.filter(({ link }) => link !== undefined)
  await until(() => replayed().length === 3, PROMPTLY)
  assert.equal(replayed().map(({ event }) => event?.streamId), [`${noun}-1`, `${noun}-1`, `${noun}-1`])
  const parked = `$persistentsubscription-$all::${group}-parked`
  await until(async () => (await collect(client.readStream(parked))).length === 0, PROMPTLY)

  client = await restarted(context, client)
  assert.is((await info()).parkedMessageCount, 0n)
  await client.dispose()
})

test('a database connection that breaks stops no group', async (context) => {
  const client = connect(context)
  const stream = newStream()
  await client.appendToStream(stream, numbered(2_000))
  const settings = persistentSubscriptionToStreamSettingsFromDefaults({ startFrom: START })
  await client.createPersistentSubscriptionToStream(stream, GROUP, settings)
  const database = new pg.Client({ connectionString: context.postgres.url })
  await database.connect()
  // All but the writer's: without that one there is no server.
  const breakReaders = () => database.query(`
    select pg_terminate_backend(pid) from pg_stat_activity
    where application_name = 'event-store' and pid not in (select pid from pg_locks where locktype = 'advisory')`)
  const seen = watch(client.subscribeToPersistentSubscriptionToStream(stream, GROUP), async (event, it) => {
    if (Number(event.event?.revision) % 200 === 0) await breakReaders()
    await (Number(event.event?.revision) % 100 === 7 ? it.nack('park', 'because', event) : it.ack(event))
  })
  await until(() => seen.events.length === 2_000, PROMPTLY)
  assert.equal(seen.numbers(), upTo(2_000))
  await until(async () => {
    const { stats } = await client.getPersistentSubscriptionToStreamInfo(stream, GROUP)
    return stats.parkedMessageCount === 20n && stats.lastCheckpointedEventRevision === 1_999n
  }, PROMPTLY)
  await database.end()
  await client.dispose()
})

test('a strategy can be asked for by its name, which the official client cannot', async (context) => {
  const raw = new grpc.PersistentSubscriptionsClient(`127.0.0.1:${context.order.port}`, credentials.createInsecure())
  const create = (stream: string, strategy: string): Promise<unknown> => {
    const settings = new messages.CreateReq.Settings()
      .setConsumerStrategy(strategy).setReadBatchSize(20).setHistoryBufferSize(500).setMessageTimeoutTicks('50000000')
    const target = new messages.CreateReq.StreamOptions()
      .setStreamIdentifier(new shared.StreamIdentifier().setStreamName(Buffer.from(stream))).setStart(new shared.Empty())
    const options = new messages.CreateReq.Options().setStream(target).setGroupName(GROUP).setSettings(settings)
    const request = new messages.CreateReq().setOptions(options)
    return new Promise((resolve, reject) => {
      raw.create(request, (error, answer) => (error === null ? resolve(answer) : reject(error)))
    })
  }
  const stream = newStream()
  await create(stream, 'PinnedByCorrelation')
  const client = connect(context)
  const { settings } = await client.getPersistentSubscriptionToStreamInfo(stream, GROUP)
  assert.equal([settings.consumerStrategyName, settings.messageTimeout], ['PinnedByCorrelation', 5_000])
  const refused = await create(newStream(), 'Sideways').catch(String)
  assert.match(String(refused), 'Consumer strategy Sideways does not exist')
  raw.close()
  await client.dispose()
})

test('a consumer that says nothing, or the wrong thing first, is not kept', async (context) => {
  const raw = new grpc.PersistentSubscriptionsClient(`127.0.0.1:${context.order.port}`, credentials.createInsecure())
  const ended = (speak: (call: ReturnType<typeof raw.read>) => void): Promise<string> => {
    const { promise, resolve } = Promise.withResolvers<string>()
    const call = raw.read()
    call.on('data', () => undefined).on('error', (error) => resolve(error.message)).on('end', () => resolve('ended'))
    speak(call)
    return promise
  }
  assert.is(await ended((call) => call.end()), 'ended')
  assert.match(await ended((call) => call.write(new messages.ReadReq())), 'begins with its options')
  raw.close()
})

test.run()
