import type { Actor, World } from './world.ts'

/** Something to wait for. What it brings is left where the one who waits looks for it. */
type Effect = (resume: () => void) => void
/** What an actor does one thing after the other. It goes no further once the actor has died. */
export type Doing<T> = Generator<Effect, T, void>

export type Network = ReturnType<typeof network>

/** What is lost, comes twice or late, in parts of all messages. */
export type Weather = { loss: number; twice: number; late: number }

/** Messages between actors: over links that may be cut in either direction, in any weather. */
export const network = (world: World) => {
  const { random } = world
  const cuts = new Map<string, number>()
  const weather: Weather = { loss: 0, twice: 0, late: 0 }
  const endOf = ({ name, on }: Actor): string => on?.name ?? name

  const isCut = (from: Actor, to: Actor): boolean => {
    if (cuts.size === 0) return false
    const [source, target] = [endOf(from), endOf(to)]
    if (source === target) return false
    return cuts.has(`${source}>${target}`) || cuts.has(`${source}>*`) || cuts.has(`*>${target}`)
  }

  const delayMs = (): number => (random.happens(weather.late) ? random.whole(200, 6_000) : random.whole(1, 12))

  /** A message that may be lost, late, or overtaken. */
  const send = (from: Actor, to: Actor, run: () => void): void => {
    const { life } = to
    const local = endOf(from) === endOf(to)
    const arrive = (inMs: number): void =>
      world.at(inMs, () => {
        // A link that is cut while a message is on its way keeps it.
        if (!isCut(from, to)) world.reach(to, life, run)
      })
    if (local) return arrive(0)
    if (isCut(from, to) || random.happens(weather.loss)) return
    arrive(delayMs())
  }

  /**
   * Asks and waits for the answer.
   *
   * @returns undefined when none came in time: then nobody knows whether it was done, or will yet be
   */
  function* call<T>(from: Actor, to: Actor, timeoutMs: number, work: (answer: (value: T) => void) =>
    void): Doing<T | undefined> {
    let result: T | undefined
    yield (resume) => {
      let open = true
      const end = (value: T | undefined): void => {
        if (!open) return
        open = false
        result = value
        resume()
      }
      send(from, to, () => work((value) => send(to, from, () => end(value))))
      world.timer(from, timeoutMs, () => end(undefined))
    }
    return result
  }

  function* sleep(who: Actor, ms: number): Doing<void> {
    yield (resume) => world.timer(who, ms, resume)
  }

  /** Lets an actor do something on its own. It ends with the actor's life. */
  const begin = <T>(who: Actor, doing: Doing<T>, ended?: (value: T) => void): void => {
    const { life } = who
    const step = (): void => {
      if (who.life !== life || !world.lives(who)) return
      const { done, value } = doing.next()
      if (done === true) ended?.(value)
      else value(() => world.reach(who, life, step))
    }
    step()
  }

  /** Does several things beside each other, until all are done or one of them gives what is looked for. */
  function* beside<T>(who: Actor, doings: readonly Doing<T>[], isEnough: (value: T) => boolean = () =>
    false): Doing<readonly T[]> {
    const values: T[] = []
    if (doings.length === 0) return values
    yield (resume) => {
      let left = doings.length
      for (const doing of doings) {
        begin(who, doing, (value) => {
          if (left === 0) return
          values.push(value)
          left -= 1
          if (left > 0 && !isEnough(value)) return
          left = 0
          resume()
        })
      }
    }
    return values
  }

  return {
    weather,
    send,
    call,
    sleep,
    begin,
    beside,
    isCut,
    cut: (link: string): void => void cuts.set(link, (cuts.get(link) ?? 0) + 1),
    heal: (link: string): void => {
      const left = (cuts.get(link) ?? 1) - 1
      if (left > 0) cuts.set(link, left)
      else cuts.delete(link)
    },
    healAll: (): void => cuts.clear(),
  }
}
