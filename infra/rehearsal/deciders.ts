import { isDeepStrictEqual } from 'node:util'
import { account } from '../../domain/account/account.ts'
import { datastore } from '../../domain/datastore/datastore.ts'
import { installation } from '../../domain/installation/installation.ts'
import { job } from '../../domain/job/job.ts'
import { type Command, type Decider, type Event, isRejection } from '../../domain/kernel/decider.ts'
import { organisation } from '../../domain/organisation/organisation.ts'
import { parameterGroups } from '../../domain/parameter-group/parameter-group.ts'
import { webhook } from '../../domain/webhook/webhook.ts'
import type { PREFIXES } from '../../projections/known-event.ts'
import { sagas } from '../../sagas/index.ts'

/** What a decider makes of a command, as it would be read back from the log. */
export type Decided = { readonly events: readonly Event[] } | { readonly refused: string }

/** One stream, folded event by event. */
export type StreamFold = {
  readonly decide: (command: Command) => Decided
  readonly evolve: (event: Event) => void
  readonly status: () => string
}

const asWritten = ({ type, data }: Event): Event => {
  const written: Pick<Event, 'data'> = JSON.parse(JSON.stringify({ data }))
  return { type, data: written.data }
}

const folding =
  <C extends Command, E extends Event, S extends { readonly status: string }, Code extends string>(
    { initial, decide, evolve }: Decider<C, E, S, Code>,
  ) =>
  (): StreamFold => {
    // A stream is written through its decider alone, and so is every command in it one of the decider's.
    const isEvent = (_event: Event): _event is E => true
    const isCommand = (_command: Command): _command is C => true
    let state = initial
    return {
      decide: (command) => {
        if (!isCommand(command)) throw new Error('BUG: every command is taken')
        const decision = decide(command, state)
        return isRejection(decision) ? { refused: decision.rejected } : { events: decision.map(asWritten) }
      },
      evolve: (event) => {
        if (isEvent(event)) state = evolve(state, event)
      },
      status: () => state.status,
    }
  }

/** The decider of each kind of stream. A new kind does not compile until it is named here. */
export const deciders: Readonly<Record<(typeof PREFIXES)[number], () => StreamFold>> = {
  'datastore-': folding(datastore),
  'installation-': folding(installation),
  'job-': folding(job(sagas)),
  'account-': folding(account),
  'webhook-': folding(webhook),
  'parameters-': folding(parameterGroups),
  'organisation-': folding(organisation),
}

export const isSameEvent = (one: Event | undefined, other: Event | undefined): boolean =>
  one?.type === other?.type && isDeepStrictEqual(one?.data, other?.data)
