import * as assert from 'uvu/assert'
import { isAfter, type NewEvent, type Recorded, type Revision } from '../../domain/kernel/event-store.ts'
import { esdbEventStore } from '../../infra/event-store/esdb.ts'
import { until } from './until.ts'

type Acknowledged = Pick<Recorded, 'id' | 'stream' | 'revision' | 'position'>

export type Writers = {
  /** Resolves when this many appends more have been acknowledged. Rejects when a writer gives up. */
  readonly write: (appends: number) => Promise<void>
  /**
   * Ends the writers after their appends under way and compares the log with what they know: nothing acknowledged is
   * lost, nothing is there twice, revisions have no gaps, and a subscription saw each event once and in order.
   */
  readonly check: () => Promise<void>
  readonly close: () => Promise<void>
}

/** Appends to one stream in pairs, for as long as it may; an append in doubt is repeated by the store's adapter. */
const writer = async (
  stream: string,
  { append, propose, acknowledged, writing }: {
    readonly append: ReturnType<typeof esdbEventStore>['append']
    readonly propose: () => NewEvent
    readonly acknowledged: Acknowledged[]
    readonly writing: () => boolean
  },
): Promise<void> => {
  let revision: Revision = 'absent'
  while (writing()) {
    const last = propose()
    const written = await append(stream, [propose(), last], { expected: revision })
    revision = written.revision
    acknowledged.push({ id: last.id, stream, ...written })
  }
}

const checkLog = (log: readonly Recorded[], acknowledged: readonly Acknowledged[], proposed: number): void => {
  const stored = new Map(log.map((event) => [event.id, event]))
  assert.is(stored.size, log.length, 'no event is there twice')
  assert.is(log.length, proposed, 'every append was repeated until it was taken')
  for (const written of acknowledged) {
    const { id, stream, revision, position } = stored.get(written.id) ?? {}
    assert.equal({ id, stream, revision, position }, written)
  }
  const heads = new Map<string, bigint>()
  for (const [i, event] of log.entries()) {
    assert.is(event.revision, (heads.get(event.stream) ?? -1n) + 1n, 'revisions have no gaps')
    heads.set(event.stream, event.revision)
    assert.ok(isAfter(event.position, log[i - 1]?.position ?? 'start'), 'positions increase')
  }
}

/**
 * Writers that go on whatever becomes of the event store, and a subscription that follows them.
 *
 * @param options.port where the event store is
 * @param options.count how many writers; each has a stream of its own
 * @param options.newEvent what they write
 */
export const startWriters = ({ port, count, newEvent }: {
  readonly port: number
  readonly count: number
  readonly newEvent: () => NewEvent
}): Writers => {
  const store = esdbEventStore({ connectionString: `esdb://127.0.0.1:${port}?tls=false`, appendTimeoutMs: 5_000 })
  const acknowledged: Acknowledged[] = []
  const followed: Recorded[] = []
  const stopping = new AbortController()
  let writing = true
  let proposed = 0
  const propose = (): NewEvent => {
    proposed += 1
    return newEvent()
  }
  const follow = async (): Promise<void> => {
    const deliveries = store.subscribe({ after: 'start', prefixes: ['writer-'], signal: stopping.signal })
    for await (const { events } of deliveries) followed.push(...events)
  }
  const following = follow()
  const context = { append: store.append, propose, acknowledged, writing: () => writing }
  const writers = Promise.all(Array.from({ length: count }, (_, i) => writer(`writer-${i}`, context)))
  // Reported by whoever waits for the writers.
  writers.catch(() => undefined)
  return {
    write: async (appends) => {
      const enough = acknowledged.length + appends
      await Promise.race([writers, until(() => acknowledged.length >= enough, { withinMs: 60_000, what: 'appends' })])
    },
    check: async () => {
      writing = false
      await writers
      const log = await store.readAll({ after: 'start', prefixes: ['writer-'], limit: 1_000_000 })
      checkLog(log, acknowledged, proposed)
      await until(() => followed.length >= log.length, { withinMs: 20_000, what: 'the subscription seeing everything' })
      assert.equal(followed.map(({ id }) => id), log.map(({ id }) => id), 'the subscription saw each once and in order')
    },
    close: async () => {
      writing = false
      stopping.abort()
      await store.close()
      await following
    },
  }
}
