import type { Role } from './server.ts'

/** A primary's right to be one, for a time; kept as a file on its machine. */
export type Lease = {
  readonly epoch: number
  /** By the machine's uptime, in milliseconds. */
  readonly until: number
  readonly boot: number
  readonly replicas: readonly string[]
}

export type Look = {
  /** `mute`: the machine answers, its server does not, though it is there. */
  readonly role: Role | 'down' | 'mute'
  readonly position: number
  readonly timeline: number
  readonly uptimeMs: number
  readonly boot: number
  readonly follows: string | undefined
  /** Has something to stream from its primary, now. */
  readonly streams: boolean
  readonly replicas: readonly string[]
}
