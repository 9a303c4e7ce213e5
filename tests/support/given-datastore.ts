import { datastore } from '../../domain/datastore/datastore.ts'
import type { DatastoreCommand, DatastoreEvent, DatastoreRejection } from '../../domain/datastore/messages.ts'
import { type Expectation, given } from './given.ts'

/** The same events, each job that is admitted in the epoch after the one before. */
export const inEpochs = (events: readonly DatastoreEvent[], before = 0): readonly DatastoreEvent[] => {
  let epoch = before
  return events.map((event) =>
    event.type === 'JobAdmitted'
      ? { ...event, data: { ...event.data, input: { ...event.data.input, epoch: ++epoch } } }
      : event,
  )
}

/** One sentence about a datastore, in which nobody has to count epochs. */
export const givenDatastore = (
  ...events: readonly DatastoreEvent[]
): { readonly when: (command: DatastoreCommand) => Expectation<DatastoreEvent, DatastoreRejection> } => {
  const admitted = events.filter(({ type }) => type === 'JobAdmitted').length
  return {
    when: (command) => {
      const expectation = given(datastore, ...inEpochs(events)).when(command)
      return { ...expectation, then: (...expected) => expectation.then(...inEpochs(expected, admitted)) }
    },
  }
}
