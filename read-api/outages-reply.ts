import { z } from 'zod'
import type { OutageEntry, OutagesRow } from '../projections/outage-row.ts'

const instant = z.iso.datetime().nullable()
const node = z.object({ host_uuid: z.string(), hostname: z.string().nullable() })

export const outageReply = z.object({
  kind: z.enum(['failover', 'failover-held-back', 'server-restart', 'node-lost']).meta({
    description:
      '`failover`: another node took, or was to take, the place of the primary. `failover-held-back`: none did for a while, ' +
      'since that had been tried too often of late. `server-restart`: a server died and was started again where it was. ' +
      '`node-lost`: a node was away.',
  }),
  outcome: z.enum(['going-on', 'over', 'replaced', 'superseded', 'came-to-nothing']).meta({
    description:
      '`replaced`: the node went, and another may have come. `superseded`: another failover began before this one was through. ' +
      '`came-to-nothing`: all that the failover had done was undone.',
  }),
  node: node.meta({ description: 'What was lost.' }),
  new_primary: node.nullable(),
  last_seen_at: instant.meta({ description: 'When it was last seen to do its part.' }),
  detected_at: instant.meta({ description: 'When it was known for certain; null for a server that was started at once.' }),
  ended_at: instant,
  writes_out_since: instant.meta({ description: 'Null: it kept no writes away, or another entry tells of them.' }),
  writes_back_at: instant,
  writes_out_ms: z.int().nullable().meta({
    description:
      'For how long no write was taken, at most: from when it was last seen well. 0: never. Null: not known yet; or a later ' +
      'entry of the same outage tells of it.',
  }),
  reason: z.string().nullable(),
  fenced_by: z.enum(['server-stopped', 'powered-off', 'lease-ran-out', 'nothing']).nullable().meta({
    description:
      'What kept the former primary from taking writes. `nothing`: nobody knows that it took none; ' +
      '`prefer: availability` allows that.',
  }),
  lost_bytes_max: z.int().nullable().meta({
    description: 'Of what was written on the former primary, at most so much is lost: 0 in synchronous mode. Null: not known.',
  }),
  job_uuid: z.string().nullable(),
})

export const outagesReply = z.object({
  uuid: z.string(),
  outages: z.array(outageReply),
  cursor: z.string().nullable().meta({ description: 'Where the next part begins; null: this is the last one.' }),
})

const msBetween = (from: string, to: string): number => Math.max(0, Date.parse(to) - Date.parse(from))

const writesOut = ({ writes_out_since: since, writes_back_at: until }: OutageEntry): number | null => {
  if (since === null) return 0
  return until === null ? null : msBetween(since, until)
}

/** An outage as clients read it. */
export const outageReplyOf = (hostnames: OutagesRow['hostnames'], entry: OutageEntry): z.infer<typeof outageReply> => {
  const named = (nodeId: string): z.infer<typeof node> => ({ host_uuid: nodeId, hostname: hostnames[nodeId] ?? null })
  return {
    kind: entry.kind,
    outcome: entry.outcome,
    node: named(entry.node_id),
    new_primary: entry.to_node_id === null ? null : named(entry.to_node_id),
    last_seen_at: entry.last_seen_at,
    detected_at: entry.detected_at,
    ended_at: entry.ended_at,
    writes_out_since: entry.writes_out_since,
    writes_back_at: entry.writes_back_at,
    writes_out_ms: writesOut(entry),
    reason: entry.because,
    fenced_by: entry.fenced_by,
    lost_bytes_max: entry.lost_bytes_max,
    job_uuid: entry.job_id,
  }
}

/** Goes on after this entry. */
export const cursorOf = ({ position }: OutageEntry): string => position.split('/').map(BigInt).join('/')
