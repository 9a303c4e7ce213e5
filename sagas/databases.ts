import type { JobInput } from '../domain/datastore/messages.ts'
import type { Saga } from '../domain/job/saga.ts'
import { putDatabase, unmakeDatabase } from './access.ts'
import { clusterOf } from './cluster.ts'
import { primaryOf } from './members.ts'

const wanted = ({ change }: JobInput) => {
  if (change?.kind !== 'create-database') throw new Error('BUG: a database to create is named')
  return change.database
}

/** A database beside those there are; it is there whole, or not at all. */
export const createDatabase = (input: JobInput): Saga => ({
  kind: 'create-database',
  title: 'Create a database',
  downtime: 'none',
  steps: [
    {
      name: 'create',
      title: 'Create the database',
      does: (facts) => putDatabase(facts, primaryOf(facts), wanted(input)),
      undo: (facts) => unmakeDatabase(facts, primaryOf(facts), wanted(input)),
      timeoutMs: 60_000, attemptsMax: 5, backoffMs: 500,
    },
  ],
})

/** First nobody is in it any more, and it can still be had back; then it goes with all that is in it. */
export const dropDatabase = ({ change }: JobInput): Saga => {
  if (change?.kind !== 'drop-database') throw new Error('BUG: a database to drop is named')
  const { name } = change
  return {
    kind: 'drop-database',
    title: 'Drop a database',
    downtime: 'none',
    steps: [
      {
        name: 'close',
        title: 'Close the database and end its sessions',
        does: (facts) => ({
          subject: 'cmon.close-database',
          body: { cluster: clusterOf(facts), nodeId: primaryOf(facts), name },
        }),
        undo: (facts) => ({
          subject: 'cmon.open-database',
          body: { cluster: clusterOf(facts), nodeId: primaryOf(facts), name },
        }),
        timeoutMs: 60_000, attemptsMax: 3, backoffMs: 500,
      },
      {
        name: 'drop',
        title: 'Drop the database with all that is in it',
        irreversible: true,
        does: (facts) => ({
          subject: 'cmon.drop-database',
          body: { cluster: clusterOf(facts), nodeId: primaryOf(facts), name },
        }),
        timeoutMs: 120_000, attemptsMax: 5, backoffMs: 1_000,
      },
    ],
  }
}
