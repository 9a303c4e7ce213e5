import { crc32 } from 'node:zlib'
import { sql } from 'kysely'
import type { ControllerStore } from './controller-store.ts'
import type { Asking } from './mysql.ts'

/** How many parts the fleet is shared out in. */
export const SLOTS = 64
/** How long a slot stays with a controller that does not renew it, on the clock of CMON DB. */
export const SLOT_TTL_MS = 5_000

/** The part of the fleet a datastore belongs to. CMON DB computes the same in its column `slot`. */
export const slotOf = (datastoreId: string): number => crc32(datastoreId) % SLOTS

const NOW = sql<Date>`utc_timestamp(6)`
const UNTIL = sql<Date>`utc_timestamp(6) + interval ${sql.lit(SLOT_TTL_MS / 1_000)} second`

/** The part of the store that shares the fleet out among the controllers that live. */
export const slotTables = (asking: Asking): Pick<ControllerStore, 'renewSlots' | 'controllers' | 'giveUpSlots'> => ({
  renewSlots: (controllerId, process) =>
    asking('renew the slots of a controller', async (db) => {
      // Before anything is sent: the database's own reckoning begins later.
      const validUntilMs = performance.now() + SLOT_TTL_MS
      const owned = await db.transaction().execute(async (transaction) => {
        // All of them, so that controllers take their turns.
        const all = transaction
          .selectFrom('controller_slots')
          .select(['slot', 'controller_id', sql<number>`until > ${NOW}`.as('live')])
          .orderBy('until', 'desc')
          .orderBy('slot')
        const rows = await all.modifyEnd(sql`for update`).execute()
        await transaction
          .insertInto('controllers')
          .values({ controller_id: controllerId, process: process ?? null, until: UNTIL })
          .onDuplicateKeyUpdate({ until: UNTIL })
          .execute()
        await transaction.deleteFrom('controllers').where('until', '<=', NOW).execute()
        const { live } = await transaction
          .selectFrom('controllers')
          .select(({ fn }) => fn.countAll<number>().as('live'))
          .executeTakeFirstOrThrow()
        const share = Math.ceil(SLOTS / live)
        // What is more than the share is not renewed. It is nobody else's until then: it may be acted on for as long.
        const mine = rows.filter((row) => row.controller_id === controllerId).slice(0, share)
        const free = rows.filter((row) => row.controller_id !== controllerId && row.live !== 1)
        const slots = [...mine, ...free.slice(0, share - mine.length)].map(({ slot }) => slot)
        if (slots.length > 0) {
          const taken = { controller_id: controllerId, until: UNTIL }
          await transaction.updateTable('controller_slots').set(taken).where('slot', 'in', slots).execute()
        }
        return slots
      })
      return { owned: owned.toSorted((a, b) => a - b), validUntilMs }
    }),

  controllers: () =>
    asking('list the controllers', async (db) => {
      const live = db.selectFrom('controllers').select(['controller_id as controllerId', 'process'])
      return live.where('until', '>', NOW).execute()
    }),

  giveUpSlots: (controllerId) =>
    asking('give up the slots of a controller', (db) =>
      db.transaction().execute(async (transaction) => {
        const nobody = { controller_id: null, until: null }
        await transaction.updateTable('controller_slots').set(nobody).where('controller_id', '=', controllerId).execute()
        await transaction.deleteFrom('controllers').where('controller_id', '=', controllerId).execute()
      }),
    ),
})
