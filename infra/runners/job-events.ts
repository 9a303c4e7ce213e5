import type { DatastoreEvent } from '../../domain/datastore/messages.ts'
import type { JobEvent } from '../../domain/job/messages.ts'
import type { EventStore, Recorded } from '../../domain/kernel/event-store.ts'

// What a stream holds is what its decider wrote: the stream's name tells the type of its events.
export const isJobEvent = (event: Recorded): event is Recorded<JobEvent> => event.stream.startsWith('job-')

export const isDatastoreEvent = (event: Recorded): event is Recorded<DatastoreEvent> =>
  event.stream.startsWith('datastore-')

/** All events of a job, oldest first. */
export const jobEvents = async (store: EventStore, jobId: string): Promise<readonly Recorded<JobEvent>[]> =>
  (await store.read(`job-${jobId}`)).events.filter(isJobEvent)
