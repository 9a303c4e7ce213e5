import { setTimeout as pause } from 'node:timers/promises'
import { type Checkpoint, CHECKPOINT_PREFIX, KEY_PREFIX, type TreeHead, signedText } from '../../domain/audit/checkpoint.ts'
import { INSTALLATION } from '../../domain/audit/chain.ts'
import { rootOf } from '../../domain/audit/merkle.ts'
import type { Event } from '../../domain/kernel/decider.ts'
import { type EventStore, type NewEvent, type Revision, RevisionConflict } from '../../domain/kernel/event-store.ts'
import { derivedId } from '../../command-handlers/ids.ts'
import type { Chain } from './entries.ts'
import { sha256 } from './sha256.ts'
import type { SigningKey } from './signing-key.ts'

/** Under writing a checkpoint follows the one before after so long; so long, at most, an entry waits for its own. */
const EVERY_MS = 1_000
const AT_ONCE = 8

export type AuditSignerOptions = {
  readonly store: Pick<EventStore, 'read' | 'append'>
  readonly key: SigningKey
  readonly now: () => string
  readonly signal: AbortSignal
  readonly log: { readonly warn: (fields: object, message: string) => void }
  /** Milliseconds between two checkpoints of one organisation, while it is written to; default 1,000. */
  readonly everyMs?: number
}

/** A stream as its last event leaves it. */
type Signed = { readonly revision: Revision; readonly size: number }

const NOTHING: Signed = { revision: 'absent', size: 0 }

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex')

const newEvent = (event: Event, id: string, organisation: string): NewEvent => ({
  ...event,
  id,
  metadata: {
    commandId: id,
    correlationId: id,
    causationId: id,
    actor: { kind: 'system', id: 'audit' },
    ...(organisation === INSTALLATION ? {} : { organisationId: organisation }),
  },
})

/** Makes the public key known in the log, unless it is so already. */
const introduce = async ({ store, key: { keyId, publicKey }, now }: AuditSignerOptions): Promise<void> => {
  const stream = `${KEY_PREFIX}${keyId}`
  if ((await store.read(stream, { limit: 1 })).events.length > 0) return
  const data = { keyId, publicKey, at: now() }
  const event = newEvent({ type: 'SigningKeyIntroduced', data }, derivedId('audit key', keyId), INSTALLATION)
  await store.append(stream, [event], { expected: 'absent' }).catch((error: unknown) => {
    if (!(error instanceof RevisionConflict)) throw error
  })
}

/** How far an organisation's checkpoints have come. */
const lastOf = async (store: Pick<EventStore, 'read'>, organisation: string): Promise<Signed> => {
  const { events, revision } = await store.read(`${CHECKPOINT_PREFIX}${organisation}`, { backward: true, limit: 1 })
  const data: { readonly size?: unknown } = events[0]?.data ?? {}
  return typeof data.size === 'number' ? { revision, size: data.size } : { ...NOTHING, revision }
}

const checkpointOf = (organisationId: string, chain: Chain, { key, now }: AuditSignerOptions): Checkpoint => {
  const head: TreeHead = {
    organisationId,
    size: chain.tree.size,
    rootHash: hex(rootOf(sha256, chain.tree)),
    chainHash: hex(chain.chainHash),
    position: chain.position,
    at: now(),
  }
  return { ...head, keyId: key.keyId, signature: key.sign(signedText(head)) }
}

/**
 * Signs the heads of chains that have grown, and appends them to the log as checkpoints.
 *
 * @returns `note`, to be told of chains that have grown, and `ended`, which resolves after `signal`
 */
export const auditSigner = (options: AuditSignerOptions) => {
  const { store, signal, log, everyMs = EVERY_MS } = options
  const waiting = new Map<string, Chain>()
  const last = new Map<string, Signed>()
  let noted = Promise.withResolvers<void>()

  const sign = async (organisation: string, chain: Chain): Promise<void> => {
    const before = last.get(organisation) ?? (await lastOf(store, organisation))
    last.set(organisation, before)
    if (chain.tree.size <= before.size) return
    const checkpoint = checkpointOf(organisation, chain, options)
    const id = derivedId('checkpoint', organisation, `${checkpoint.size}`)
    const event = newEvent({ type: 'CheckpointSigned', data: checkpoint }, id, organisation)
    const stream = `${CHECKPOINT_PREFIX}${organisation}`
    const { revision } = await store.append(stream, [event], { expected: before.revision })
    last.set(organisation, { revision, size: checkpoint.size })
  }
  const signOne = async ([organisation, chain]: readonly [string, Chain]): Promise<void> => {
    waiting.delete(organisation)
    try {
      await sign(organisation, chain)
    } catch (err) {
      last.delete(organisation)
      if (!waiting.has(organisation)) waiting.set(organisation, chain)
      if (!signal.aborted) log.warn({ err, organisation }, 'a checkpoint could not be signed; trying again')
    }
  }
  const signAll = async (): Promise<void> => {
    const due = [...waiting].values()
    await Promise.all(
      Array.from({ length: AT_ONCE }, async () => {
        for (const one of due) await signOne(one)
      }),
    )
  }
  const run = async (): Promise<void> => {
    signal.addEventListener('abort', () => noted.resolve(), { once: true })
    for (let known = false; !signal.aborted; ) {
      if (waiting.size === 0) await noted.promise
      noted = Promise.withResolvers()
      if (signal.aborted) return
      try {
        if (!known) await introduce(options)
        known = true
        await signAll()
      } catch (err) {
        log.warn({ err }, 'the audit key could not be made known; trying again')
      }
      await pause(everyMs, undefined, { signal }).catch(() => undefined)
    }
  }
  return {
    note: (chains: ReadonlyMap<string, Chain>): void => {
      for (const [organisation, chain] of chains) waiting.set(organisation, chain)
      if (chains.size > 0) noted.resolve()
    },
    ended: run(),
  }
}
