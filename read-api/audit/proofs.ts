import { z } from 'zod'
import type { Checkpoint } from '../../domain/audit/checkpoint.ts'
import { type Endpoint, endpoint, Refused } from '../../domain/kernel/endpoint.ts'
import { count, settled, trailOf, trailQuery } from './asked.ts'
import type { AuditQueries } from './index.ts'
import { checkpointsOf, keysOf, lastCheckpoint } from './rows.ts'
import { consistencyProof, inclusionProofs, sizeOf } from './tree.ts'

const tag = 'Audit'
const hash = z.string().regex(/^[0-9a-f]{64}$/)

const checkpointReply = z.object({
  organisation: z.string(),
  size: z.int(),
  root_hash: hash,
  chain_hash: hash,
  position: z.string(),
  at: z.iso.datetime(),
  key_id: z.string(),
  signature: z.string(),
})

/** A checkpoint as it is shown. */
const reply = (checkpoint: Checkpoint): z.infer<typeof checkpointReply> => ({
  organisation: checkpoint.organisationId,
  size: checkpoint.size,
  root_hash: checkpoint.rootHash,
  chain_hash: checkpoint.chainHash,
  position: checkpoint.position,
  at: checkpoint.at,
  key_id: checkpoint.keyId,
  signature: checkpoint.signature,
})

const notSo = (because: string): Refused => new Refused({ rejected: 'not-in-trail', because })

/** The signed heads of a trail, newest first. */
export const checkpoints = ({ db, waitFor }: AuditQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/v1/audit/checkpoints',
    summary: 'List the signed checkpoints of the audit trail, newest first',
    tag,
    access: 'user',
    needs: 'audit',
    query: trailQuery.extend({
      cursor: z.string().regex(/^\d{1,15}$/).exactOptional(),
      limit: z.coerce.number().int().min(1).max(500).default(50),
    }),
    replies: {
      200: {
        description: 'A part of the list, and where to go on.',
        schema: z.object({ checkpoints: z.array(checkpointReply), cursor: z.string().nullable() }),
      },
    },
    handle: async (request) => {
      const { organisation: asked, cursor, limit } = request.query
      const organisation = trailOf(request.principal, asked)
      await settled(request, waitFor)
      const found = await checkpointsOf(db, organisation, { limit: limit + 1, below: cursor })
      const page = found.slice(0, limit)
      const next = found.length > limit ? `${page.at(-1)?.size}` : null
      return { status: 200, body: { checkpoints: page.map(reply), cursor: next } }
    },
  })

/** That an entry is in the trail. */
export const inclusion = (queries: AuditQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/v1/audit/proofs/inclusion',
    summary: 'Prove that an entry is in the audit trail (RFC 9162, section 2.1.3)',
    tag,
    access: 'user',
    needs: 'audit',
    query: trailQuery.extend({
      n: count,
      size: count.exactOptional().meta({ description: 'Of the tree; default that of the last checkpoint.' }),
    }),
    replies: {
      200: {
        description: 'The proof, and the last checkpoint where it is for that one.',
        schema: z.object({
          organisation: z.string(),
          n: z.int(),
          size: z.int(),
          root_hash: hash,
          proof: z.array(hash),
          checkpoint: checkpointReply.nullable(),
        }),
      },
    },
    handle: async (request) => {
      const { db, waitFor } = queries
      const organisation = trailOf(request.principal, request.query.organisation)
      await settled(request, waitFor)
      const [last, there] = await Promise.all([lastCheckpoint(db, organisation), sizeOf(db, organisation)])
      const { n, size = last?.size ?? 0 } = request.query
      if (size > there) throw notSo(`the trail has ${there} entries, not ${size}`)
      if (n >= size) throw notSo(`there is no entry ${n} among the first ${size}`)
      const { root, proofs: [proof = []] } = await inclusionProofs(queries, { organisation, size, places: [n] })
      const checkpoint = last?.size === size ? reply(last) : null
      return { status: 200, body: { organisation, n, size, root_hash: root, proof: [...proof], checkpoint } }
    },
  })

/** That nothing that was in the trail has been changed or taken out since. */
export const consistency = (queries: AuditQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/v1/audit/proofs/consistency',
    summary: 'Prove that an older state of the audit trail is the beginning of a newer one (RFC 9162, section 2.1.4)',
    tag,
    access: 'user',
    needs: 'audit',
    query: trailQuery.extend({ from: count, to: count }),
    replies: {
      200: {
        description: 'The proof and both roots.',
        schema: z.object({
          organisation: z.string(),
          from: z.int(),
          to: z.int(),
          from_root_hash: hash,
          to_root_hash: hash,
          proof: z.array(hash),
        }),
      },
    },
    handle: async (request) => {
      const { from, to } = request.query
      const organisation = trailOf(request.principal, request.query.organisation)
      await settled(request, queries.waitFor)
      const there = await sizeOf(queries.db, organisation)
      if (to > there) throw notSo(`the trail has ${there} entries, not ${to}`)
      if (from > to) throw notSo(`${from} entries are more than ${to}`)
      const { roots, proof } = await consistencyProof(queries, { organisation, from, to })
      const [from_root_hash, to_root_hash] = roots
      return { status: 200, body: { organisation, from, to, from_root_hash, to_root_hash, proof: [...proof] } }
    },
  })

/** The public keys, for anybody: a verifier needs nothing else. */
export const keys = ({ db }: AuditQueries): Endpoint =>
  endpoint({
    method: 'GET',
    path: '/api/v1/audit/keys',
    summary: 'List the public keys that checkpoints are or were signed with',
    tag,
    access: 'public',
    replies: {
      200: {
        description: 'Oldest first, also those of former times.',
        schema: z.object({
          keys: z.array(z.object({ key_id: z.string(), public_key: z.string(), introduced_at: z.iso.datetime() })),
        }),
      },
    },
    handle: async () => ({ status: 200, body: { keys: await keysOf(db) } }),
  })
