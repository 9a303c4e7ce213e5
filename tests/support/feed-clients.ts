import { z } from 'zod'
import { cloudEvent } from '../../projections/public-events/cloud-event.ts'
import { listenTo } from './event-source.ts'
import { until } from './until.ts'

type Event = z.infer<typeof cloudEvent>

/** An integrator that copies the feed, and comes back with its last cursor whenever it has lost the connection. */
export type FeedClient = {
  /** Everything it was told, in the order it was told it, repeats among it. */
  readonly got: readonly Event[]
  /** How often it has come back. */
  readonly returns: () => number
  readonly stop: () => Promise<void>
}

type Options = {
  readonly url: string
  readonly headers: Readonly<Record<string, string>>
  /** Numbers from 0 to 1. */
  readonly roll: () => number
  /** The stream is broken off after so many at most, at random; default 20. */
  readonly ofEvents?: number
}

const AWAY = { withinMs: 120_000, what: 'an answer of the feed' }
const STOPPED = 'stopped'
const Part = z.object({ events: z.array(cloudEvent), cursor: z.string() })

const client = (once: (got: Event[], isStopping: () => boolean) => Promise<void>): FeedClient => {
  const got: Event[] = []
  let returns = -1
  let stopping = false
  const running = (async () => {
    for (; !stopping; returns++) await once(got, () => stopping)
  })()
  // Told when it is stopped.
  running.catch(() => undefined)
  return {
    got,
    returns: () => returns,
    stop: () => {
      stopping = true
      return running
    },
  }
}

/** Listens to the stream, and breaks it off by itself every few events. */
export const streamClient = ({ url, headers, roll, ofEvents = 20 }: Options): FeedClient => {
  let lastEventId = 'start'
  return client(async (got, isStopping) => {
    const listen = () => listenTo(url, { headers: { ...headers, 'Last-Event-ID': lastEventId } })
    const source = await until(async () => (isStopping() ? STOPPED : await listen()), AWAY)
    if (source === STOPPED) return
    let isOver = false
    void source.ended.then(() => (isOver = true))
    const enough = 1 + Math.floor(roll() * ofEvents)
    let taken = 0
    const take = (): number => {
      got.push(...source.events.slice(taken).map(({ data }) => data))
      return (taken = source.events.length)
    }
    await until(() => take() >= enough || isOver || isStopping(), { ...AWAY, what: 'an event' })
    source.close()
    take()
    lastEventId = source.lastEventId() || lastEventId
  })
}

/** Asks for one part after the other, of any size. */
export const pullClient = ({ url, headers, roll }: Options): FeedClient => {
  let cursor = 'start'
  return client(async (got, isStopping) => {
    const limit = 1 + Math.floor(roll() * 20)
    const part = await until(async () => {
      if (isStopping()) return STOPPED
      const answer = await fetch(`${url}?cursor=${cursor}&limit=${limit}&wait=1`, { headers })
      return Part.parse(await answer.json())
    }, AWAY)
    if (part === STOPPED) return
    got.push(...part.events)
    ;({ cursor } = part)
  })
}
