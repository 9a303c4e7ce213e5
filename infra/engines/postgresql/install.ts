import { CannotServe, type Engine } from '../engine.ts'
import { CommandFailed } from '../../host.ts'
import { passfile } from './config.ts'
import { layoutOf, unitOf } from './layout.ts'

/** The major version in what `postgres --version` prints. */
export const majorIn = (text: string): string | undefined => /\(PostgreSQL\) (\d+)/.exec(text)?.[1]

export const install: Engine['install'] = async ({ host, version, certificate, secrets, signal }) => {
  const layout = layoutOf(host)
  const { authorityPem, certificatePem, keyPem } = certificate
  const [told] = await Promise.all([
    host.run(['postgres', '--version'], { signal }).catch(absent),
    host.write(layout.authority, authorityPem, 0o600),
    host.write(layout.certificate, `${certificatePem}\n${keyPem}`, 0o600),
    host.write(layout.passfile, passfile(secrets.replicationPassword), 0o600),
  ])
  const wanted = version.split('.')[0]
  if (majorIn(told) !== wanted) throw new CannotServe(`PostgreSQL ${wanted} is not available on this machine`)
  // A server that runs goes on with its old certificate until it is told.
  const unit = unitOf(layout)
  if (await host.running(unit)) await host.reload(unit)
}

const NO_SUCH_PROGRAM = 127

const absent = (error: unknown): string => {
  if (error instanceof CommandFailed && error.exitCode === NO_SUCH_PROGRAM) return ''
  throw error
}
