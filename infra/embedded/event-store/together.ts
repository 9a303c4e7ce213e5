import { setImmediate } from 'node:timers/promises'

type Question<A> = { readonly about: string; readonly answer: PromiseWithResolvers<A> }

/**
 * Asks together what is asked at the same time: one question is under way at most, and those that come meanwhile make the
 * next. A round trip to Postgres costs the event loop more than many rows of its answer do.
 *
 * @param ask answers in the order of what it is asked about
 * @param max how much is asked at once at most
 */
export const together = <A>(
  ask: (about: readonly string[]) => Promise<readonly A[]>,
  max: number,
): ((about: string) => Promise<A>) => {
  let waiting: Question<A>[] = []
  let asking = false

  const run = async (): Promise<void> => {
    asking = true
    // A turn of the event loop first, so that what arrived together is asked together.
    await setImmediate()
    while (waiting.length > 0) {
      const taken = waiting.slice(0, max)
      waiting = waiting.slice(max)
      try {
        const answers = await ask(taken.map(({ about }) => about))
        for (const [i, { answer }] of taken.entries()) {
          const found = answers[i]
          if (found === undefined) answer.reject(new Error('BUG: a question without an answer'))
          else answer.resolve(found)
        }
      } catch (error) {
        for (const { answer } of taken) answer.reject(error)
      }
    }
    asking = false
  }

  return (about) => {
    const answer = Promise.withResolvers<A>()
    waiting.push({ about, answer })
    if (!asking) void run()
    return answer.promise
  }
}
