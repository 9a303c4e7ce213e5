import { randomUUID } from 'node:crypto'
import type { Metadata, NewEvent } from '../../domain/kernel/event-store.ts'

const metadata: Metadata = {
  commandId: 'cmd_1',
  correlationId: 'cor_1',
  causationId: 'cau_1',
  actor: { kind: 'user', id: 'usr_1' },
}

/** An event that nobody has written yet. */
export const newEvent = (type = 'SomethingHappened', data: object = { number: 1 }): NewEvent => ({
  id: randomUUID(),
  type,
  data,
  metadata,
})

/** As many of them, numbered from 0. */
export const newEvents = (count: number): NewEvent[] =>
  Array.from({ length: count }, (_, number) => newEvent('SomethingHappened', { number }))

/** A stream name that no other test uses. */
export const newStream = (noun = 'datastore'): string => `${noun}-${randomUUID()}`
