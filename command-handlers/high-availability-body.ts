import { z } from 'zod'
import {
  FAILOVERS_PER_HOUR_MAX, LAG_MAX_BYTES, REPAIR_AFTER_SECONDS, type WantedAvailability,
} from '../domain/datastore/plan-availability.ts'

/** Only of this is an unknown member refused: no client of old sends it, and a slip of the pen would go unseen. */
export const highAvailabilityBody = z
  .strictObject({
    synchronous: z.boolean().nullish().meta({
      description: 'Whether a transaction is acknowledged only once a replica has it as well; needs 2 nodes. At first it is not.',
    }),
    prefer: z.enum(['consistency', 'availability']).nullish().meta({
      description:
        'What counts more when the primary is lost and both cannot be had: to lose nothing that was acknowledged, or to take ' +
        'writes again at once. `consistency` at first.',
    }),
    repair_after_seconds: z.int().nullish().meta({
      description:
        'After how long a silent node is replaced: ' +
        `${REPAIR_AFTER_SECONDS.min} to ${REPAIR_AFTER_SECONDS.max}; 300 at first.`,
    }),
    lag_max_bytes: z.int().nullish().meta({
      description:
        'How far behind the lost primary a replica may be that takes its place by itself: ' +
        `${LAG_MAX_BYTES.min} to ${LAG_MAX_BYTES.max}; 16777216 at first.`,
    }),
    max_failovers_per_hour: z.int().nullish().meta({
      description:
        'So many failovers within an hour go without a wait; each one more waits, longer and longer, for 10 minutes at most: ' +
        `${FAILOVERS_PER_HOUR_MAX.min} to ${FAILOVERS_PER_HOUR_MAX.max}; 3 at first.`,
    }),
  })
  .nullish()

/** In the words of the domain; what is null is as good as left out. */
export const wantedAvailabilityOf = (
  body: z.infer<typeof highAvailabilityBody>,
): WantedAvailability | undefined =>
  body === null || body === undefined
    ? undefined
    : {
        synchronous: body.synchronous ?? undefined,
        prefer: body.prefer ?? undefined,
        repairAfterSeconds: body.repair_after_seconds ?? undefined,
        lagMaxBytes: body.lag_max_bytes ?? undefined,
        failoversPerHourMax: body.max_failovers_per_hour ?? undefined,
      }
