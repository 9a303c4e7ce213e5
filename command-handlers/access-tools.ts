import { randomBytes } from 'node:crypto'
import { z } from 'zod'
import type { Change, ChangeKind } from '../domain/datastore/changes/index.ts'
import type { Rejection } from '../domain/kernel/decider.ts'
import { Refused, type Reply, type Request } from '../domain/kernel/endpoint.ts'
import type { Position } from '../domain/kernel/event-store.ts'
import { type CommandEndpoints, type Known, knownDatastore, toolsOf } from './datastore-tools.ts'
import { type DryRun, dryRunOfChanges, rehearsed } from './dry-run.ts'
import { derivedId, freshId } from './ids.ts'

/** What the calls about databases and users refuse themselves. */
export type AccessRejection =
  | 'access-unknown'
  | 'change-failed'
  | 'malformed-password'
  | 'name-protected'
  | 'reserved-name'
  | 'rotation-at-work'
  | 'user-not-managed'

/** Which vault entry: the datastore is the subject. */
export type VaultRef = { readonly ownerId: string; readonly subjectId: string; readonly name: string }

export type AccessEndpoints = CommandEndpoints & {
  readonly vault: {
    /** The secret, made with `generate` when there is none yet. */
    readonly ensure: (ref: VaultRef, generate: () => Promise<string>) => Promise<string>
  }
  /** The names that the servers know; undefined when none of them answers soon. */
  readonly observe: (datastoreId: string) => Promise<
    | {
        readonly databases: readonly { readonly name: string }[]
        readonly users: readonly { readonly name: string }[]
      }
    | undefined
  >
  /** How long a call waits for its job, in milliseconds; default 8,000. */
  readonly waitMs?: number
}

const WAIT_MS = 8_000
const POLL_MS = 100
const PASSWORD_BYTES = 24

/** One that no form of connection string needs to encode. */
export const newPassword = async (): Promise<string> => randomBytes(PASSWORD_BYTES).toString('base64url')

export const refuse = (rejection: Rejection | undefined): void => {
  if (rejection !== undefined) throw new Refused(rejection)
}

export const refused = (rejected: AccessRejection | 'database-not-found' | 'user-not-found', because: string): Refused =>
  new Refused({ rejected, because })

/** The job that a call's change of this kind is carried out by. */
export const jobIdOf = (commandId: string, kind: ChangeKind): string => derivedId('job', commandId, kind)

/** The id of a database or of a user's login: the same for the same name. */
export const accessId = (what: 'database' | 'user', datastoreId: string, name: string): string =>
  derivedId(what, datastoreId, name)

type Asker = Request<unknown, unknown, unknown>
export type Asking = {
  readonly request: Asker
  readonly datastoreId: string
  readonly dryRun: boolean
  readonly method: 'POST' | 'PUT' | 'DELETE'
  readonly path: string
  /** What repeats must agree in: without any password. */
  readonly body: z.core.util.JSONType
}

/** What a call makes of the datastore as it will be: its changes, one job each, and what it answers when they are done. */
export type Planned = {
  readonly changes: readonly Change[]
  /** What must be in place before the jobs are; not for a dry run, and not where it is refused. */
  readonly prepare?: () => Promise<void>
  readonly answer: (done: boolean) => { readonly status: number; readonly body: z.core.util.JSONType }
}

type Ended = { readonly position: Position; readonly because: string | null | undefined }

const EndData = z.object({ jobId: z.string(), because: z.string().nullable() })

const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms))

/**
 * Carries a call out: plans its changes, sends them, and waits a while for their jobs, so that whoever reads afterwards sees
 * what he did.
 */
export const accessing = (options: AccessEndpoints) => {
  const { store, now, waitMs = WAIT_MS } = options
  const { cause, once, send } = toolsOf(options)

  /** How the job came out; undefined when it has not ended in time. Only what was written since is read. */
  const endOf = async (datastoreId: string, jobId: string, deadlineMs: number): Promise<Ended | undefined> => {
    let from = 0n
    for (;;) {
      const { events } = await store.read(`datastore-${datastoreId}`, { from })
      for (const { type, data, position } of events) {
        if (type !== 'JobEnded' && type !== 'JobDropped') continue
        const { success, data: end } = EndData.safeParse(data)
        if (!success || end.jobId !== jobId) continue
        const failed = type === 'JobDropped' || ('end' in data && data.end !== 'finished')
        return { position, because: failed ? end.because : undefined }
      }
      const last = events.at(-1)
      if (last !== undefined) from = last.revision + 1n
      if (performance.now() >= deadlineMs) return undefined
      await pause(POLL_MS)
    }
  }

  const dryRunOf = async (
    { request, datastoreId }: Asking,
    plan: (state: Known, commandId: string) => Promise<Planned>,
  ): Promise<DryRun> => {
    const { state } = await knownDatastore(options, datastoreId, request.principal.ownerId)
    const { changes } = await plan(state, freshId())
    const commands = changes.map((change) => {
      return { type: 'ChangeDatastore', data: { datastoreId, jobId: freshId(), change, now: now() } } as const
    })
    rehearsed(state, commands)
    return dryRunOfChanges(options, state, { changes, settings: [] })
  }

  return async (asking: Asking, plan: (state: Known, commandId: string) => Promise<Planned>): Promise<Reply> => {
    if (asking.dryRun) return { status: 200, body: await dryRunOf(asking, plan) }
    const { request, datastoreId, method, path, body } = asking
    return once(request, { method, path, body }, async (commandId) => {
      const { state } = await knownDatastore(options, datastoreId, request.principal.ownerId)
      const { changes, prepare, answer } = await plan(state, commandId)
      const jobs = changes.map((change) => ({ change, jobId: jobIdOf(commandId, change.kind) }))
      const data = jobs.map(({ change, jobId }) => ({ datastoreId, jobId, change, now: now() }))
      // What is refused of it has changed nothing.
      rehearsed(state, data.map((each) => ({ type: 'ChangeDatastore', data: each })))
      await prepare?.()
      let position: Position | undefined
      for (const each of data) {
        const origin = { ...(await cause(request, derivedId('command', commandId, each.jobId))), correlationId: commandId }
        const outcome = await send({ type: 'ChangeDatastore', data: each }, origin)
        if ('rejection' in outcome) throw new Refused(outcome.rejection)
        position = outcome.position
      }
      const deadlineMs = performance.now() + waitMs
      let done = true
      for (const { jobId } of jobs) {
        const end = await endOf(datastoreId, jobId, deadlineMs)
        if (end?.because !== undefined) throw refused('change-failed', end.because ?? 'the job was cancelled')
        done &&= end !== undefined
        position = end?.position ?? position
      }
      return { ...answer(done), position }
    })
  }
}
