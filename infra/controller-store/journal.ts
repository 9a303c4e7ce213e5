import { sql } from 'kysely'
import { z } from 'zod'
import { ResultMessage } from '../messaging/messages.ts'
import type { AlarmKey, AlarmRow, ControllerStore, JournalEntry } from './controller-store.ts'
import type { Asking } from './mysql.ts'

const LINE_LENGTH_MAX = 4_000

const Component = z.enum(['Cluster', 'Node', 'ClusterRecovery'])
const Severity = z.enum(['ALARM_WARNING', 'ALARM_CRITICAL'])

type Tables = Pick<
  ControllerStore,
  'ended' | 'begin' | 'end' | 'logLine' | 'jobLog' | 'raise' | 'clear' | 'alarms'
>

/** The part of the store that knows what was ordered, what came of it, and what is wrong. */
export const journalTables = (asking: Asking): Tables => ({
  ended: (orderId) =>
    asking('look into its journal', async (db) => {
      const row = await db
        .selectFrom('jobs')
        .select(['status', 'result', 'because', 'final'])
        .where('order_id', '=', orderId)
        .executeTakeFirst()
      return row === undefined ? undefined : entryOf(row)
    }),

  begin: ({ orderId, jobId, datastoreId, order }, at) =>
    asking('begin an order', async (db) => {
      await db
        .insertInto('jobs')
        .ignore()
        .values({
          order_id: orderId,
          job_id: jobId,
          datastore_id: datastoreId,
          command: order.subject,
          status: 'RUNNING',
          result: null,
          because: null,
          final: null,
          started_at: new Date(at),
          ended_at: null,
        })
        .execute()
    }),

  end: (orderId, entry, at) =>
    asking('end an order', async (db) => {
      const how =
        entry.status === 'FINISHED'
          ? { result: JSON.stringify(entry.result) }
          : { because: entry.because, final: entry.final ? 1 : 0 }
      await db
        .updateTable('jobs')
        .set({ status: entry.status, ended_at: new Date(at), ...how })
        .where('order_id', '=', orderId)
        .where('status', '=', 'RUNNING')
        .execute()
    }),

  logLine: (orderId, line, at) =>
    asking('log a line', async (db) => {
      const row = { order_id: orderId, at: new Date(at), line: line.slice(0, LINE_LENGTH_MAX) }
      await db.insertInto('job_log').values(row).execute()
    }),

  jobLog: (orderId) =>
    asking('read the log of an order', async (db) => {
      const lines = db.selectFrom('job_log').select(['at', 'line']).where('order_id', '=', orderId)
      const rows = await lines.orderBy('line_id').execute()
      return rows.map(({ at, line }) => ({ at: at.toISOString(), line }))
    }),

  ...alarmTables(asking),
})

const entryOf = (row: {
  readonly status: string
  readonly result: string | null
  readonly because: string | null
  readonly final: number | null
}): JournalEntry | undefined => {
  if (row.status === 'FINISHED') return { status: 'FINISHED', result: ResultMessage.parse(JSON.parse(row.result ?? '{}')) }
  if (row.status === 'FAILED') return { status: 'FAILED', because: row.because ?? '', final: row.final === 1 }
  return undefined
}

const ALARM_COLUMNS = [
  'datastore_id', 'node_id', 'type_name', 'subject', 'component', 'severity', 'title', 'message', 'counter',
  'raised_at', 'cleared_at',
] as const

const alarmTables = (asking: Asking): Pick<ControllerStore, 'raise' | 'clear' | 'alarms'> => ({
  raise: (alarm, at) =>
    asking('raise an alarm', async (db) => {
      const { component, severity, title, message } = alarm
      const words = { component, severity, title, message }
      const row = { ...columnsOf(alarm), ...words, counter: 1, raised_at: new Date(at), cleared_at: null }
      const values = ALARM_COLUMNS.map((name) => row[name])
      await db
        .insertInto('alarms')
        .columns(ALARM_COLUMNS)
        // Whoever looks at a cluster may be the last to hear that it has been forgotten.
        .expression(sql`(select ${sql.join(values)} from clusters where datastore_id = ${alarm.datastoreId})`)
        .onDuplicateKeyUpdate({
          ...words,
          counter: sql`counter + 1`,
          // An alarm that comes back begins anew; one that is only repeated keeps its beginning.
          raised_at: sql`if(cleared_at is null, raised_at, values(raised_at))`,
          cleared_at: null,
        })
        .execute()
    }),

  clear: (key, at) =>
    asking('clear an alarm', async (db) => {
      const { datastore_id, node_id, type_name, subject } = columnsOf(key)
      await db
        .updateTable('alarms')
        .set({ cleared_at: new Date(at) })
        .where('datastore_id', '=', datastore_id)
        .where('node_id', '=', node_id)
        .where('type_name', '=', type_name)
        .where('subject', '=', subject)
        .where('cleared_at', 'is', null)
        .execute()
    }),

  alarms: (datastoreId) =>
    asking('list the alarms of a cluster', async (db) => {
      const rows = await db
        .selectFrom('alarms')
        .selectAll()
        .where('datastore_id', '=', datastoreId)
        .orderBy('alarm_id')
        .execute()
      return rows.map((row): AlarmRow => ({
        datastoreId: row.datastore_id,
        nodeId: row.node_id,
        typeName: row.type_name,
        subject: row.subject,
        component: Component.parse(row.component),
        severity: Severity.parse(row.severity),
        title: row.title,
        message: row.message,
        counter: row.counter,
        raisedAt: row.raised_at.toISOString(),
        clearedAt: row.cleared_at?.toISOString() ?? null,
      }))
    }),
})

const columnsOf = ({ datastoreId, nodeId, typeName, subject }: AlarmKey) => ({
  datastore_id: datastoreId,
  node_id: nodeId,
  type_name: typeName,
  subject,
})
