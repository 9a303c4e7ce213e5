import type { NodeContext } from '../../infra/engines/engine.ts'

type Chosen = readonly [name: string, value: string]

/** What a test of parameters needs of one engine: parameters of each kind, as its server shows them. */
export type ParameterSamples = {
  /** Taken over by a server that runs. */
  readonly reloaded: Chosen
  /** Taken over when it starts. */
  readonly restarted: Chosen
  /** Of which a replica needs what its primary has; `more` is more than `unchosen`, which nobody chose. */
  readonly needed: { readonly name: string; readonly unchosen: string; readonly more: string }
  /** A value that the server never takes. */
  readonly malformed: Chosen
  /** Holds the needed one in use, so that the server does not start without it. */
  readonly occupy: string
  /** Frees it again. */
  readonly free: string
  /** What the server calls a parameter's value. */
  readonly show: (name: string) => string
  /** Sets one past the control plane, on the machine itself. */
  readonly meddle: (node: NodeContext, chosen: Chosen) => Promise<void>
}

const postgresql: ParameterSamples = {
  reloaded: ['deadlock_timeout', '1500'],
  restarted: ['track_activity_query_size', '2048'],
  needed: { name: 'max_prepared_transactions', unchosen: '0', more: '7' },
  malformed: ['deadlock_timeout', 'soon'],
  occupy: "begin; create table occupied (); prepare transaction 'held'",
  free: "rollback prepared 'held'",
  show: (name) => `select setting from pg_settings where name = '${name}'`,
  async meddle({ host }, [name, value]) {
    await host.write(`${host.dataDir}/pgdata/postgresql.auto.conf`, `${name} = '${value}'\n`, 0o600)
  },
}

/** By the engine's name. */
export const parameterSamples: Readonly<Record<string, ParameterSamples>> = { postgresql }
