import { binaryEvent, type EventStoreDBClient, streamNameFilter } from '@eventstore/db-client'
import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import { newStream } from '../support/events.ts'
import { collect, eachServer, numbered } from '../support/raw-client.ts'
import { until } from '../support/until.ts'

type Context = { client: EventStoreDBClient; stop: () => Promise<void> }

type Resolved = {
  readonly event?: { readonly streamId: string; readonly revision: bigint }
  readonly link?: { readonly revision: bigint }
}

/** A link as it is written: what it points to is its data. */
const linkTo = (target: string) => binaryEvent({ type: '$>', data: Buffer.from(target) })

/** `revision of the link > what it stands for`, or the event itself. */
const pictureOf = ({ event, link }: Resolved): string => {
  const target = event === undefined ? 'nothing' : `${event.revision}@${event.streamId}`
  return link === undefined ? target : `${link.revision} > ${target}`
}

eachServer((name, start) => {
  const test = suite<Context>(`links: ${name}`)

  test.before(async (context) => {
    Object.assign(context, await start())
  })
  test.after(({ stop }) => stop())

  const pictures = async (client: EventStoreDBClient, stream: string, resolveLinkTos = true) =>
    (await collect(client.readStream(stream, { resolveLinkTos }))).map(pictureOf)

  test('a link is read as what it stands for, with the link beside it, only where that is asked for', async ({ client }) => {
    const [stream, links] = [newStream(), newStream('links')]
    await client.appendToStream(stream, numbered(3))
    await client.appendToStream(links, [linkTo(`2@${stream}`), ...numbered(1), linkTo(`0@${stream}`)])
    assert.equal(await pictures(client, links), [`0 > 2@${stream}`, `1@${links}`, `2 > 0@${stream}`])
    assert.equal(await pictures(client, links, false), [`0@${links}`, `1@${links}`, `2@${links}`])
    const down = { direction: 'backwards', fromRevision: 'end', resolveLinkTos: true, maxCount: 1 } as const
    assert.equal((await collect(client.readStream(links, down))).map(pictureOf), [`2 > 0@${stream}`])
  })

  test('a link to what is not there, or no longer, has no event', async ({ client }) => {
    const [stream, ended, hidden, links] = [newStream(), newStream(), newStream(), newStream('links')]
    for (const it of [stream, ended, hidden]) await client.appendToStream(it, numbered(3))
    const targets = [`7@${stream}`, `0@${stream}`, `1@${stream}`, `0@${ended}`, `0@${hidden}`, `0@${newStream()}`, '0']
    await client.appendToStream(links, targets.map(linkTo))
    await client.setStreamMetadata(stream, { truncateBefore: 1 })
    await client.tombstoneStream(ended)
    await client.deleteStream(hidden)
    assert.equal(await pictures(client, links), [
      '0 > nothing', '1 > nothing', `2 > 1@${stream}`, '3 > nothing', '4 > nothing', '5 > nothing', '6 > nothing',
    ])
  })

  test('a link that does not begin with a number is an event like any other', async ({ client }) => {
    const links = newStream('links')
    await client.appendToStream(links, linkTo(`first@${links}`))
    assert.equal(await pictures(client, links), [`0@${links}`])
  })

  test('a link to a link is followed one step', async ({ client }) => {
    const [stream, links] = [newStream(), newStream('links')]
    await client.appendToStream(stream, numbered(1))
    await client.appendToStream(links, [linkTo(`0@${stream}`), linkTo(`0@${links}`)])
    assert.equal(await pictures(client, links), [`0 > 0@${stream}`, `1 > 0@${links}`])
  })

  test('reads and subscriptions of the whole log follow links from where the link is', async ({ client }) => {
    const [stream, links] = [newStream(), newStream('links')]
    await client.appendToStream(stream, numbered(1))
    const { position } = await client.appendToStream(links, linkTo(`0@${stream}`))
    if (position === undefined) throw new Error('an append has a position')
    const [read] = await collect(client.readAll({ fromPosition: position, maxCount: 1, resolveLinkTos: true }))
    assert.is(pictureOf(read ?? {}), `0 > 0@${stream}`)
    assert.equal([read?.commitPosition, read?.link?.position], [position.commit, position])
    const seen: string[] = []
    const subscriptions = [
      client.subscribeToAll({ resolveLinkTos: true, filter: streamNameFilter({ prefixes: [links] }) }),
      client.subscribeToStream(links, { resolveLinkTos: true }),
    ]
    for (const it of subscriptions) it.on('data', (resolved) => seen.push(pictureOf(resolved)))
    await until(() => seen.length === 2, { withinMs: 20_000 })
    assert.equal(seen, [`0 > 0@${stream}`, `0 > 0@${stream}`])
    for (const it of subscriptions) await it.unsubscribe()
  })

  test.run()
})
