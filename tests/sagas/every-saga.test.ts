import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import fc from 'fast-check'
import type { JobInput } from '../../domain/datastore/messages.ts'
import type { Place } from '../../domain/job/orders.ts'
import { type Saga, keysOf } from '../../domain/job/saga.ts'
import { sagas } from '../../sagas/index.ts'
import { deployedInput, newInput } from '../support/examples.ts'
import { assertLawful } from '../support/lawful.ts'
import { type Fate, type Play, type Played, fates, playSaga } from '../support/play-saga.ts'

const inputs: readonly (readonly [string, JobInput])[] = [1, 2, 3].flatMap((size) => [
  [`a new datastore of ${size}`, newInput(size)] as const,
  [`a deployed datastore of ${size}`, deployedInput(size)] as const,
])

const spot = ({ step, key, course }: Omit<Place, 'attempt'>): string => `${course} ${step} ${key}`

const placesOf = ({ events }: Played): readonly Place[] =>
  events.flatMap(({ type, data }) => (type === 'StepOrdered' && data.attempt === 1 ? [data] : []))

const isIrreversible = (saga: Saga, { step }: Place): boolean => {
  const index = saga.steps.findIndex(({ name }) => name === step)
  return saga.steps.slice(0, index + 1).some(({ irreversible }) => irreversible === true)
}

const attemptsMaxOf = (saga: Saga, { step }: Place): number => saga.steps.find(({ name }) => name === step)?.attemptsMax ?? 0

/** One place fails that many times, in that way; everything else succeeds. */
const failing = (where: Place, fate: Fate, times: number) => (place: Place): Fate =>
  spot(place) === spot(where) && place.attempt <= times ? fate : 'succeeds'

const play = (plan: Play): Played => {
  const played = playSaga(plan)
  assertLawful(plan.saga, played.events)
  if (played.state.status !== 'finished') assert.equal(played.world.things(), [], 'an unwound job leaves nothing')
  return played
}

const assertFinished = ({ state, world }: Played, saga: Saga, input: JobInput): void => {
  assert.is(state.status, 'finished')
  const facts = { input, learned: state.learned }
  const wanted = saga.steps.flatMap((step) => keysOf(step, facts).map((key) => `${step.name} ${key}`))
  assert.equal([...world.carriedOut].toSorted(), wanted.toSorted())
}

/** Once for each input: every answer the saga must give, whatever it plans. */
const prove = (saga: Saga, name: string, input: JobInput): void => {
  const test = suite(`${saga.kind} on ${name}`)
  const smooth = play({ saga, input })
  const places = placesOf(smooth)

  test('completes', () => assertFinished(smooth, saga, input))

  for (const fate of fates.filter((one) => one !== 'succeeds')) {
    test(`ends unwound, or is carried to its end, when an order ${fate} to the last, whichever it is`, () => {
      for (const where of places) {
        const carried = isIrreversible(saga, where)
        const times = carried ? 2 * attemptsMaxOf(saga, where) + 1 : Infinity
        const played = play({ saga, input, fateOf: failing(where, fate, times) })
        assert.is(played.state.status, carried ? 'finished' : 'failed', spot(where))
        assert.is(played.events.some(({ type }) => type === 'AttentionNeeded'), carried, spot(where))
        if (carried) assertFinished(played, saga, input)
      }
    })

    test(`finishes when an order ${fate} once, whichever it is, if repetition may help`, () => {
      for (const where of places) {
        const played = play({ saga, input, fateOf: failing(where, fate, 1) })
        const hopeless = fate === 'refuses' && !isIrreversible(saga, where)
        assert.is(played.state.status, hopeless ? 'failed' : 'finished', spot(where))
      }
    })

    test(`unwinds to the end although an undo ${fate} again and again, whichever it is`, () => {
      const last = places.findLast((place) => !isIrreversible(saga, place))
      if (last === undefined) return
      const stuck = failing(last, 'refuses', 1)
      for (const where of placesOf(play({ saga, input, fateOf: stuck })).filter(({ course }) => course === 'back')) {
        const undo = failing(where, fate, 2 * attemptsMaxOf(saga, where) + 1)
        const played = play({ saga, input, fateOf: (place) => (place.course === 'back' ? undo(place) : stuck(place)) })
        assert.is(played.state.status, 'failed', spot(where))
        assert.ok(played.events.some(({ type }) => type === 'AttentionNeeded'), spot(where))
      }
    })
  }

  test('says the same when every input comes twice, or all that ever came comes again', () => {
    assert.equal(play({ saga, input, echo: 'itself' }).events, smooth.events)
    assert.equal(play({ saga, input, echo: 'everything' }).events, smooth.events)
    for (const where of places) {
      const fateOf = failing(where, 'fails-when-done', attemptsMaxOf(saga, where))
      const { events } = play({ saga, input, fateOf })
      assert.equal(play({ saga, input, fateOf, echo: 'everything' }).events, events, spot(where))
    }
  })

  test('completes when outcomes come in the opposite order', () =>
    assertFinished(play({ saga, input, first: 'newest' }), saga, input))

  test('says the same when it is restarted from its stream before every input', () => {
    assert.equal(JSON.parse(JSON.stringify(smooth.events)), smooth.events, 'what is written is what is read back')
    assert.equal(play({ saga, input, restarts: true }).events, smooth.events)
    for (const where of places) {
      const fateOf = failing(where, 'silent-when-done', 2)
      assert.equal(play({ saga, input, fateOf, restarts: true }).events, play({ saga, input, fateOf }).events, spot(where))
    }
  })

  test('can be cancelled at every point until it has gone too far', () => {
    // Each place meets another fate; the storm below meets them all with all.
    for (const [index, where] of places.entries()) {
      const fate = fates[index % fates.length] ?? 'succeeds'
      const fateOf = failing(where, fate, 1)
      const undisturbed = play({ saga, input, fateOf })
      for (let cancelBefore = 0; cancelBefore < undisturbed.inputs; cancelBefore++) {
        const { state, cancellation } = play({ saga, input, fateOf, cancelBefore })
        const expected = cancellation === 'refused' ? ['finished'] : ['cancelled', 'failed']
        assert.ok(expected.includes(state.status), `${state.status} at ${cancelBefore} with ${fate} ${spot(where)}`)
      }
    }
  })

  test('ends well in any storm of failures, silences, repeats, late answers and restarts', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9_999), { minLength: 1, maxLength: 400 }), fc.option(fc.nat(40)), (tape, cancelBefore) => {
        const storm = (restarts: boolean): Played => {
          let drawn = 0
          // The tape runs out: the storm ends, and the job must too.
          const draw = (limit: number): number => (drawn < tape.length ? (tape[drawn++] ?? 0) % limit : 0)
          const fateOf = (): Fate => fates[draw(2) === 0 ? 0 : draw(fates.length)] ?? 'succeeds'
          return play({ saga, input, draw, fateOf, restarts, ...(cancelBefore === null ? {} : { cancelBefore }) })
        }
        const played = storm(false)
        if (played.state.status === 'finished') assertFinished(played, saga, input)
        assert.equal(storm(true).events, played.events)
      }),
      { numRuns: 60, includeErrorInReport: true },
    )
  })

  test.run()
}

for (const saga of Object.values(sagas)) for (const [name, input] of inputs) prove(saga, name, input)
