import { EventStoreDBClient, jsonEvent } from '@eventstore/db-client'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streamsService from '@eventstore/db-client/generated/streams_grpc_pb.js'
import streams from '@eventstore/db-client/generated/streams_pb.js'
import { credentials, Metadata } from '@grpc/grpc-js'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { type EventStoreServer, eventStoreServer } from '../../infra/embedded/event-store/server.ts'
import { newStream } from '../support/events.ts'
import { startPostgres } from '../support/postgres.ts'
import { collect, errorOf, numbered } from '../support/raw-client.ts'

/** What the official client's interface has no words for, asked with its generated code; so on the embedded server alone. */

const APPEND_BYTES_MAX = 4_096

type Context = {
  postgres: Awaited<ReturnType<typeof startPostgres>>
  server: EventStoreServer
  client: EventStoreDBClient
  raw: InstanceType<typeof streamsService.StreamsClient>
}

const test = suite<Context>('what the protocol lets be asked of streams')

test.before(async (context) => {
  context.postgres = await startPostgres()
  const options = { host: '127.0.0.1', port: 0, databaseUrl: context.postgres.url, appendBytesMax: APPEND_BYTES_MAX }
  context.server = await eventStoreServer(options)
  context.client = EventStoreDBClient.connectionString(`esdb://${context.server.address}?tls=false`)
  context.raw = new streamsService.StreamsClient(context.server.address, credentials.createInsecure())
})
test.after(async ({ client, raw, server, postgres }) => {
  raw.close()
  await client.dispose()
  await server.close()
  await postgres.stop()
})

const unary = { credentials: { username: 'nobody', password: 'none' } }
const nothing = () => new shared.Empty()
const named = (stream: string) => new shared.StreamIdentifier().setStreamName(Buffer.from(stream).toString('base64'))

const answersOf = async (raw: Context['raw'], options: streams.ReadReq.Options): Promise<streams.ReadResp[]> => {
  const answers: streams.ReadResp[] = []
  for await (const it of raw.read(new streams.ReadReq().setOptions(options))) {
    if (it instanceof streams.ReadResp) answers.push(it)
  }
  return answers
}

const ofStream = (stream: string) =>
  new streams.ReadReq.Options()
    .setStream(new streams.ReadReq.Options.StreamOptions().setStreamIdentifier(named(stream)).setStart(nothing()))
    .setCount('100')
    .setNoFilter(nothing())
    .setUuidOption(new streams.ReadReq.Options.UUIDOption().setString(nothing()))

const expression = () => new streams.ReadReq.Options.FilterOptions.Expression()

const ofAll = (filter: streams.ReadReq.Options.FilterOptions, count: number) =>
  new streams.ReadReq.Options()
    .setAll(new streams.ReadReq.Options.AllOptions().setStart(nothing()))
    .setCount(`${count}`)
    .setFilter(filter.setCheckpointintervalmultiplier(1).setCount(nothing()))
    .setUuidOption(new streams.ReadReq.Options.UUIDOption().setString(nothing()))

test('an append may weigh what the option says, by either form', async ({ client }) => {
  const event = (length: number) => jsonEvent({ type: 'Big', data: { text: 'x'.repeat(length) } })
  for (const form of [{}, unary]) {
    await client.appendToStream(newStream(), event(4_000), form)
    const { type, maxAppendSize } = await errorOf(() => client.appendToStream(newStream(), event(4_096), form))
    assert.equal([type, maxAppendSize], ['maximum-append-size-exceeded', APPEND_BYTES_MAX])
  }
})

test('an id is told in the form asked for', async ({ client, raw }) => {
  const stream = newStream()
  const id = 'fe9c1b5e-0000-4000-8000-ffffffffffff'
  await client.appendToStream(stream, jsonEvent({ id, type: 'Identified', data: {} }))
  const idIn = async (options: streams.ReadReq.Options) =>
    (await answersOf(raw, options))[0]?.getEvent()?.getEvent()?.getId()
  assert.is((await idIn(ofStream(stream)))?.getString(), id)
  const halves = new streams.ReadReq.Options.UUIDOption().setStructured(nothing())
  const structured = (await idIn(ofStream(stream).setUuidOption(halves)))?.getStructured()
  assert.is(BigInt.asUintN(64, BigInt(structured?.getMostSignificantBits() ?? 0)), 0xfe9c1b5e00004000n)
  assert.is(BigInt.asUintN(64, BigInt(structured?.getLeastSignificantBits() ?? 0)), 0x8000ffffffffffffn)
})

test('a read of the log is filtered by stream or type, and its limit counts what passes', async ({ client, raw }) => {
  const [one, other] = [newStream('one'), newStream('other')]
  for (let round = 0; round < 300; round++) await client.appendToStream(round % 3 === 0 ? one : other, numbered(1))
  await client.appendToStream(other, numbered(2, 'Rare'))
  const { FilterOptions } = streams.ReadReq.Options
  const count = async (filter: streams.ReadReq.Options.FilterOptions, limit = 1_000) =>
    (await answersOf(raw, ofAll(filter, limit))).length
  const byStream = () => new FilterOptions().setStreamIdentifier(expression().setPrefixList([one]))
  assert.is(await count(byStream()), 100)
  assert.is(await count(byStream(), 7), 7)
  assert.is(await count(new FilterOptions().setStreamIdentifier(expression().setRegex(`^(${one}|${other})$`))), 302)
  assert.is(await count(new FilterOptions().setEventType(expression().setPrefixList(['Rar', 'None']))), 2)
  assert.is(await count(new FilterOptions().setEventType(expression().setRegex('^Rare$')), 1), 1)
  const broken = new FilterOptions().setEventType(expression().setRegex('('))
  assert.is((await errorOf(() => count(broken)))['code'], 3)
  assert.is((await errorOf(() => count(new FilterOptions())))['code'], 3)
})

const appendOf = (stream: string, message: streams.AppendReq.ProposedMessage, options = new streams.AppendReq.Options()) => [
  new streams.AppendReq().setOptions(options.setStreamIdentifier(named(stream)).setAny(nothing())),
  new streams.AppendReq().setProposedMessage(message),
]

const sent = (raw: Context['raw'], requests: readonly streams.AppendReq[], deadline?: Date): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const options = deadline === undefined ? {} : { deadline }
    const call = raw.append(new Metadata(), options, (error, answer) => (error === null ? resolve(answer) : reject(error)))
    for (const request of requests) call.write(request)
    if (deadline === undefined) call.end()
  })

const trailer = (error: Record<string, unknown>, key: string): unknown =>
  error['metadata'] instanceof Metadata ? error['metadata'].get(key)[0] : undefined

test('an event without a type or a content type is refused, and the missing properties are named', async ({ raw }) => {
  const id = new shared.UUID().setString('fe9c1b5e-0000-4000-8000-000000000001')
  for (const given of ['type', 'content-type']) {
    const message = new streams.AppendReq.ProposedMessage().setId(id)
    message.getMetadataMap().set(given, 'text')
    const error = await errorOf(() => sent(raw, appendOf(newStream(), message)))
    assert.is(error['code'], 3)
    assert.is(trailer(error, 'exception'), 'missing-required-metadata-property')
    assert.is(trailer(error, 'required-metadata-properties'), 'type,content-type')
  }
})

test('streams that nobody may write to refuse an append, and names that are none a read', async ({ client, raw }) => {
  for (const stream of ['$all', '$$', '$$$$any']) {
    const message = new streams.AppendReq.ProposedMessage()
    assert.is((await errorOf(() => sent(raw, appendOf(stream, message))))['code'], 3)
  }
  assert.is((await errorOf(() => answersOf(raw, ofStream(''))))['code'], 3)
  assert.is((await errorOf(() => client.deleteStream('$$any')))['code'], 3)
})

test('an append that is not finished by its deadline is refused as late, and not written', async ({ client, raw }) => {
  const stream = newStream()
  const message = new streams.AppendReq.ProposedMessage()
  const late = new Date(Date.now() + 200)
  assert.is((await errorOf(() => sent(raw, appendOf(stream, message).slice(0, 1), late)))['code'], 4)
  assert.is((await errorOf(() => collect(client.readStream(stream))))['type'], 'stream-not-found')
})

test('whoever requires the leader is served: there is one node', async ({ client }) => {
  const stream = newStream()
  await client.appendToStream(stream, numbered(1), { requiresLeader: true })
  await client.setStreamMetadata(stream, { maxCount: 1 }, { requiresLeader: true, ...unary })
  assert.is((await collect(client.readStream(stream, { requiresLeader: true }))).length, 1)
  await client.tombstoneStream(stream, { requiresLeader: true })
})

test.run()
