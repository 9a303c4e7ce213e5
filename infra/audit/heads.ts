import type { ClientBase } from 'pg'
import { z } from 'zod'
import { CHECKPOINT_PREFIX, type CheckpointSigned, KEY_PREFIX, type SigningKeyIntroduced } from '../../domain/audit/checkpoint.ts'
import type { Recorded } from '../../domain/kernel/event-store.ts'
import { sortablePosition } from '../../projections/positions.ts'

const isCheckpoint = (event: Recorded): event is Recorded<CheckpointSigned> =>
  event.type === 'CheckpointSigned' && event.stream.startsWith(CHECKPOINT_PREFIX)

const isKey = (event: Recorded): event is Recorded<SigningKeyIntroduced> =>
  event.type === 'SigningKeyIntroduced' && event.stream.startsWith(KEY_PREFIX)

const isHead = ({ stream }: Recorded): boolean => stream.startsWith(CHECKPOINT_PREFIX) || stream.startsWith(KEY_PREFIX)

/** Parts the events that a trail covers from those that tell of the trail itself. */
export const parted = (events: readonly Recorded[]) => ({
  audited: events.filter((event) => !isHead(event)),
  checkpoints: events.filter(isCheckpoint),
  keys: events.filter(isKey),
})

const Disagreements = z.array(z.object({ organisation_id: z.string(), size: z.coerce.number() }))

export type Disagreement = z.infer<typeof Disagreements>[number]

/**
 * Takes in what was signed, as it was read back from the log.
 *
 * @returns the checkpoints that do not fit the entries: one or the other was changed after it was signed
 */
export const putCheckpoints = async (
  client: ClientBase,
  checkpoints: readonly Recorded<CheckpointSigned>[],
): Promise<readonly Disagreement[]> => {
  if (checkpoints.length === 0) return []
  const signed = checkpoints.map(({ data }) => data)
  await client.query(
    `insert into audit.checkpoints
       (organisation_id, size, root_hash, chain_hash, position, at, key_id, signature, logged_position)
     select o, s, decode(r, 'hex'), decode(c, 'hex'), p, a, k, decode(g, 'base64'), l
     from unnest($1::text[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::text[], $8::text[],
       $9::text[]) as t (o, s, r, c, p, a, k, g, l)
     on conflict (organisation_id, size) do nothing`,
    [
      signed.map(({ organisationId }) => organisationId),
      signed.map(({ size }) => size),
      signed.map(({ rootHash }) => rootHash),
      signed.map(({ chainHash }) => chainHash),
      signed.map(({ position }) => position),
      signed.map(({ at }) => at),
      signed.map(({ keyId }) => keyId),
      signed.map(({ signature }) => signature),
      checkpoints.map(({ position }) => sortablePosition(position)),
    ],
  )
  const { rows } = await client.query(
    `select c.organisation_id, c.size from audit.checkpoints c
     left join audit.entries e on e.organisation_id = c.organisation_id and e.n = c.size - 1
     where c.logged_position = any($1::text[]) and e.chain_hash is distinct from c.chain_hash`,
    [checkpoints.map(({ position }) => sortablePosition(position))],
  )
  return Disagreements.parse(rows)
}

/** Takes in public keys, as they were read back from the log. */
export const putKeys = async (client: ClientBase, keys: readonly Recorded<SigningKeyIntroduced>[]): Promise<void> => {
  for (const { data: { keyId, publicKey, at } } of keys) {
    await client.query(
      `insert into audit.keys (key_id, public_key, introduced_at) values ($1, $2, $3) on conflict (key_id) do nothing`,
      [keyId, publicKey, at],
    )
  }
}
