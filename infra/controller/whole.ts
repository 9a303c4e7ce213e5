import { setTimeout } from 'node:timers/promises'
import type { Engine, Health, ReachedNode } from '../engines/engine.ts'
import { Failure, type Work } from '../messaging/worker.ts'

const CHECK_PAUSE_MS = 50
/**
 * How long before an order's time is up a check says what it still waits for, so that the reason reaches the tenant.
 */
const LAST_WORD_MS = 1_000

type Whole = {
  readonly engine: Engine
  readonly reached: readonly ReachedNode[]
  readonly primaryId: string
  readonly notAfter: string
  readonly now: () => string
  /** Whether the primary is to take no writes. */
  readonly readOnly: boolean
}

/** Waits until the primary takes writes and the others that are named stream from it. */
export const untilWhole = async ({ engine, reached, primaryId, notAfter, now, readOnly }: Whole, work: Work): Promise<void> => {
  for (;;) {
    const healths = await Promise.all(
      reached.map(async (node) => ({ node: node.member, health: await engine.probe(node) })),
    )
    const missing = whatIsMissing(healths, primaryId, readOnly)
    if (missing === undefined) return
    if (Date.parse(now()) + LAST_WORD_MS >= Date.parse(notAfter)) throw new Failure(missing)
    await setTimeout(CHECK_PAUSE_MS, undefined, { signal: work.signal })
  }
}

export type Seen = { readonly node: { readonly nodeId: string; readonly name: string }; readonly health: Health }

/** Why a cluster is not whole, in a tenant's words; undefined when it is. */
export const whatIsMissing = (seen: readonly Seen[], primaryId: string, readOnly = false): string | undefined => {
  const primary = seen.find(({ node }) => node.nodeId === primaryId)
  if (primary === undefined) return 'The primary is not part of the datastore.'
  const { node, health } = primary
  if (health.role === 'down') return `The primary ${node.name} does not answer.`
  if (health.role !== 'primary' || (health.readOnly && !readOnly)) return `The primary ${node.name} takes no writes.`
  for (const other of seen.filter((each) => each !== primary)) {
    if (other.health.role === 'down') return `The replica ${other.node.name} does not answer.`
    if (other.health.role === 'primary') return `${other.node.name} is a primary as well.`
    if (!follows(other, primary)) return `The replica ${other.node.name} does not follow the primary.`
  }
  return undefined
}

/** Whether a replica streams from this primary. */
export const follows = ({ node }: Seen, primary: Seen): boolean => primary.health.streaming.includes(node.name)
