import { suite } from 'uvu'
import * as assert from 'uvu/assert'
import fc from 'fast-check'
import type { JobInput } from '../../domain/datastore/messages.ts'
import type { Place } from '../../domain/job/orders.ts'
import { type Saga, keysOf } from '../../domain/job/saga.ts'
import { deployedThings, thingsAfter } from '../support/deployed.ts'
import type { Things } from '../support/estate.ts'
import { shapeBefore } from '../support/examples.ts'
import { assertLawful } from '../support/lawful.ts'
import { everyPlan } from '../support/every-plan.ts'
import { type Fate, type Play, type Played, fates, playSaga } from '../support/play-saga.ts'

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

/** The same things, in the same state: names and what the members know of each other among them. */
const assertThings = (played: Played, expected: Things, what: string): void =>
  assert.equal(played.world.things(), expected, what)

type Case = { readonly saga: Saga; readonly input: JobInput; readonly before: Things; readonly after: Things }

const caseOf = (saga: Saga, input: JobInput): Case => ({
  saga,
  input,
  before: deployedThings(shapeBefore(input)),
  after: thingsAfter(saga.kind, input),
})

type Course = Omit<Play, 'saga' | 'input' | 'before'>

const playCase = ({ after, ...about }: Case, course: Course): Played => {
  const played = playSaga({ ...about, ...course })
  assertLawful(about.saga, played.events)
  if (played.state.status === 'finished') assertThings(played, after, 'a finished job leaves what was asked for')
  else assertThings(played, about.before, 'an unwound job leaves what was there before')
  return played
}

const assertFinished = ({ state, world }: Played, { saga, input }: Case): void => {
  assert.is(state.status, 'finished')
  const facts = { input, learned: state.learned }
  const wanted = saga.steps.flatMap((step) => keysOf(step, facts).map((key) => `${step.name} ${key}`))
  assert.equal([...world.carriedOut].toSorted(), wanted.toSorted())
}

/** Once for each input: every answer the saga must give, whatever it plans. */
const prove = (saga: Saga, name: string, input: JobInput): void => {
  const test = suite(`${saga.kind}: ${name}`)
  const own = caseOf(saga, input)
  const play = (course: Course = {}): Played => playCase(own, course)
  const smooth = play()
  const places = placesOf(smooth)

  test('completes', () => assertFinished(smooth, own))

  for (const fate of fates.filter((one) => one !== 'succeeds')) {
    test(`ends unwound, or is carried to its end, when an order ${fate} to the last, whichever it is`, () => {
      for (const where of places) {
        const carried = isIrreversible(saga, where)
        const times = carried ? 2 * attemptsMaxOf(saga, where) + 1 : Infinity
        const played = play({ fateOf: failing(where, fate, times) })
        assert.is(played.state.status, carried ? 'finished' : 'failed', spot(where))
        assert.is(played.events.some(({ type }) => type === 'AttentionNeeded'), carried, spot(where))
        if (carried) assertFinished(played, own)
      }
    })

    test(`finishes when an order ${fate} once, whichever it is, if repetition may help`, () => {
      for (const where of places) {
        const played = play({ fateOf: failing(where, fate, 1) })
        const hopeless = fate === 'refuses' && !isIrreversible(saga, where)
        assert.is(played.state.status, hopeless ? 'failed' : 'finished', spot(where))
      }
    })

    test(`unwinds to the end although an undo ${fate} again and again, whichever it is`, () => {
      const last = places.findLast((place) => !isIrreversible(saga, place))
      if (last === undefined) return
      const stuck = failing(last, 'refuses', 1)
      for (const where of placesOf(play({ fateOf: stuck })).filter(({ course }) => course === 'back')) {
        const undo = failing(where, fate, 2 * attemptsMaxOf(saga, where) + 1)
        const played = play({ fateOf: (place) => (place.course === 'back' ? undo(place) : stuck(place)) })
        assert.is(played.state.status, 'failed', spot(where))
        assert.ok(played.events.some(({ type }) => type === 'AttentionNeeded'), spot(where))
      }
    })
  }

  test('says the same when every input comes twice, or all that ever came comes again', () => {
    assert.equal(play({ echo: 'itself' }).events, smooth.events)
    assert.equal(play({ echo: 'everything' }).events, smooth.events)
    for (const where of places) {
      const fateOf = failing(where, 'fails-when-done', attemptsMaxOf(saga, where))
      const { events } = play({ fateOf })
      assert.equal(play({ fateOf, echo: 'everything' }).events, events, spot(where))
    }
  })

  test('completes when outcomes come in the opposite order', () =>
    assertFinished(play({ first: 'newest' }), own))

  test('says the same when it is restarted from its stream before every input', () => {
    assert.equal(JSON.parse(JSON.stringify(smooth.events)), smooth.events, 'what is written is what is read back')
    assert.equal(play({ restarts: true }).events, smooth.events)
    for (const where of places) {
      const fateOf = failing(where, 'silent-when-done', 2)
      assert.equal(play({ fateOf, restarts: true }).events, play({ fateOf }).events, spot(where))
    }
  })

  test('can be cancelled at every point until it has gone too far', () => {
    // Each place meets another fate; the storm below meets them all with all.
    for (const [index, where] of places.entries()) {
      const fate = fates[index % fates.length] ?? 'succeeds'
      const fateOf = failing(where, fate, 1)
      const undisturbed = play({ fateOf })
      for (let cancelBefore = 0; cancelBefore < undisturbed.inputs; cancelBefore++) {
        const { state, cancellation } = play({ fateOf, cancelBefore })
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
          return play({ draw, fateOf, restarts, ...(cancelBefore === null ? {} : { cancelBefore }) })
        }
        const played = storm(false)
        if (played.state.status === 'finished') assertFinished(played, own)
        assert.equal(storm(true).events, played.events)
      }),
      { numRuns: 60, includeErrorInReport: true },
    )
  })

  test.run()
}

for (const { name, input, saga } of everyPlan) prove(saga, name, input)
