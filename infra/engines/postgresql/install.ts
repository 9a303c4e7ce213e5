import { CannotServe, type Engine } from '../engine.ts'
import { CommandFailed } from '../../host.ts'
import { layoutOf, unitOf } from './layout.ts'

const PROGRAMS = ['postgres', 'initdb', 'pg_basebackup', 'psql'] as const

/** The major version in what `postgres --version` prints. */
export const majorIn = (text: string): string | undefined => /\(PostgreSQL\) (\d+)/.exec(text)?.[1]

export const install: Engine['install'] = async ({ host, version, certificate, signal }) => {
  const wanted = version.split('.')[0]
  const told = await Promise.all(PROGRAMS.map((program) => host.run([program, '--version'], { signal }).catch(absent)))
  if (told.some((text) => majorIn(text) !== wanted)) {
    throw new CannotServe(`PostgreSQL ${wanted} is not available on this machine`)
  }
  const layout = layoutOf(host)
  await Promise.all([
    host.write(layout.authority, certificate.authorityPem, 0o600),
    host.write(layout.certificate, certificate.certificatePem, 0o600),
    host.write(layout.key, certificate.keyPem, 0o600),
  ])
  // A server that runs goes on with its old certificate until it is told.
  const unit = unitOf(layout)
  if (await host.running(unit)) await host.reload(unit)
}

const NO_SUCH_PROGRAM = 127

const absent = (error: unknown): string => {
  if (error instanceof CommandFailed && error.exitCode === NO_SUCH_PROGRAM) return ''
  throw error
}
