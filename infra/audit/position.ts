import { setTimeout as pause } from 'node:timers/promises'
import type { ClientBase, Pool } from 'pg'
import { z } from 'zod'
import { type Position, isAfter } from '../../domain/kernel/event-store.ts'

const ASK_EVERY_MS = 20

const Progress = z.array(z.object({ commit: z.string().transform(BigInt), prepare: z.string().transform(BigInt) }))

/** How far the audit trail has taken the log in. */
export const readProgress = async (client: Pick<ClientBase, 'query'>): Promise<Position | 'start'> => {
  const { rows } = await client.query(
    'select position_commit::text as commit, position_prepare::text as prepare from audit.progress',
  )
  return Progress.parse(rows)[0] ?? 'start'
}

/**
 * Waits until the audit trail has taken in the event at `position`, `withinMs` milliseconds at most.
 *
 * @returns whether it has
 */
export type WaitForAudit = (position: Position, withinMs: number) => Promise<boolean>

/**
 * Lets readers of the audit trail see what they wrote. It asks the database for as long as somebody waits.
 *
 * @param pool the database that the trail is in
 */
export const auditPosition = (pool: Pool): WaitForAudit => {
  let known: Position | 'start' = 'start'
  return async (position, withinMs) => {
    const until = performance.now() + withinMs
    while (isAfter(position, known)) {
      known = await readProgress(pool)
      if (!isAfter(position, known)) break
      if (performance.now() > until) return false
      await pause(ASK_EVERY_MS)
    }
    return true
  }
}
