import type { Readable, Writable } from 'node:stream'

/** A program that a machine keeps running, as a systemd unit would be. */
export type Unit = {
  readonly name: string
  readonly argv: readonly [string, ...string[]]
  readonly env?: Readonly<Record<string, string>>
  /** Sent by `stop`; the unit gets `stopTimeoutMs` to end before it is killed. */
  readonly stopSignal: 'SIGTERM' | 'SIGINT' | 'SIGQUIT'
  readonly stopTimeoutMs: number
  readonly reloadSignal: 'SIGHUP'
}

export type RunOptions = {
  /** Secrets go this way, never in argv. */
  readonly stdin?: string | Readable
  readonly stdout?: Writable
  readonly env?: Readonly<Record<string, string>>
  /** Default 60,000; Infinity: no limit. The program is killed when it runs out. */
  readonly timeoutMs?: number
  readonly signal?: AbortSignal
}

/** How much of a volume is used, in bytes; `totalBytes` is all that its users can ever have of it. */
export type DiskUsage = { readonly usedBytes: number; readonly totalBytes: number }

/**
 * The waist of the system: all that an engine may ask of a machine, all that a provider must offer.
 * Every member may be called again; paths are absolute on the machine and lie under `dataDir`.
 * Every call throws HostUnreachable when the machine is off, gone or cut off, or becomes so while it is under way.
 */
export type Host = {
  /** Where the other nodes and the tenants reach the machine. */
  readonly address: string
  /** The mounted volume: an absolute path that the unprivileged user of the machine may write. */
  readonly dataDir: string
  /**
   * Runs a program to its end as the machine's unprivileged user and gives its standard output.
   *
   * @throws CommandFailed on a non-zero exit
   */
  readonly run: (argv: readonly [string, ...string[]], options?: RunOptions) => Promise<string>
  /** Writes a file whole or not at all, owned by the machine's unprivileged user, making folders as needed. */
  readonly write: (path: string, content: string, mode: number) => Promise<void>
  /** The file's text, or undefined when there is none. */
  readonly read: (path: string) => Promise<string | undefined>
  /** How full the volume is; undefined where it has no size of its own. */
  readonly diskUsage: () => Promise<DiskUsage | undefined>
  /** Makes the unit run, now and after a boot. Done already: nothing. A changed definition holds from the next start on. */
  readonly start: (unit: Unit) => Promise<void>
  /** Ends the unit and keeps it from coming back at boot. Not running: nothing. */
  readonly stop: (unit: Unit) => Promise<void>
  readonly reload: (unit: Unit) => Promise<void>
  readonly running: (unit: Unit) => Promise<boolean>
  /** The last lines the unit wrote, for an operator to read. */
  readonly log: (unit: Unit, lines: number) => Promise<string>
}

/** A program on a host ended badly. The message names the program and how it ended; `stderr` is for logs, not for tenants. */
export class CommandFailed extends Error {
  override readonly name = 'CommandFailed'
  readonly exitCode: number | null
  readonly stderr: string
  constructor(program: string, exitCode: number | null, stderr: string) {
    super(`${program} ended with ${exitCode === null ? 'a signal' : `exit code ${exitCode}`}`)
    this.exitCode = exitCode
    this.stderr = stderr
  }
}

/**
 * The machine is off, gone, or its link is cut in one direction or both. What was under way when that happened may have been
 * done or not.
 */
export class HostUnreachable extends Error {
  override readonly name = 'HostUnreachable'
  constructor(options?: ErrorOptions) {
    super('the machine cannot be reached', options)
  }
}
