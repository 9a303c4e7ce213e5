import type { ClientBase } from 'pg'
import { z } from 'zod'
import { type Position, isAfter, positionText } from '../../domain/kernel/event-store.ts'
import type { Projection } from '../../projections/projection.ts'
import { tableName } from './rows.ts'

/** The channel on which the projector tells, as `positionText`, how far all read models have come. */
export const POSITION_CHANNEL = 'read_position'

export type Checkpoint = { readonly version: number; readonly position: Position }

const Stored = z.array(
  z.object({
    projection: z.string(),
    version: z.int(),
    commit: z.string().transform(BigInt),
    prepare: z.string().transform(BigInt),
  }),
)

/** How far each projection has come, by its name. */
export const readCheckpoints = async (
  client: Pick<ClientBase, 'query'>,
  schema: string,
): Promise<ReadonlyMap<string, Checkpoint>> => {
  const { rows } = await client.query(
    `select projection, version, position_commit::text as commit, position_prepare::text as prepare
     from ${tableName(schema, 'checkpoints')}`,
  )
  return new Map(
    Stored.parse(rows).map(({ projection, version, ...position }) => [projection, { version, position }]),
  )
}

/** The position that every one of them has reached. */
export const lowest = (positions: Iterable<Position | 'start'>): Position | 'start' => {
  let least: Position | 'start' | undefined
  for (const position of positions) {
    if (position === 'start') return 'start'
    if (least === undefined || least === 'start' || isAfter(least, position)) least = position
  }
  return least ?? 'start'
}

/**
 * Moves the checkpoints of these projections, and tells the listeners once the transaction is committed.
 *
 * @param reached what all read models have come to with it; absent: nobody is told
 */
export const moveCheckpoints = async (
  client: ClientBase,
  schema: string,
  { projections, position, reached }: {
    readonly projections: readonly Pick<Projection, 'name' | 'version'>[]
    readonly position: Position
    readonly reached?: Position | 'start'
  },
): Promise<void> => {
  await client.query(
    `insert into ${tableName(schema, 'checkpoints')}
       (projection, version, position_commit, position_prepare, updated_at)
     select name, version, $3::numeric, $4::numeric, now() from unnest($1::text[], $2::integer[]) as t (name, version)
     on conflict (projection) do update set
       version = excluded.version,
       position_commit = excluded.position_commit,
       position_prepare = excluded.position_prepare,
       updated_at = excluded.updated_at`,
    [
      projections.map(({ name }) => name),
      projections.map(({ version }) => version),
      `${position.commit}`,
      `${position.prepare}`,
    ],
  )
  if (reached === undefined || reached === 'start') return
  await client.query('select pg_notify($1, $2)', [POSITION_CHANNEL, positionText(reached)])
}

/** Forgets projections that there are no more, so that nobody waits for them. */
export const keepCheckpoints = async (client: ClientBase, schema: string, names: readonly string[]): Promise<void> => {
  await client.query(`delete from ${tableName(schema, 'checkpoints')} where projection <> all($1::text[])`, [names])
}
