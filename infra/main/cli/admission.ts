import { admissionOf, scopeOf, sendToInstallation } from '../../../command-handlers/admission.ts'
import { causeBy } from '../../../command-handlers/auth/register.ts'
import type { Stop } from '../../../domain/installation/installation.ts'
import { readCatalogue } from '../../catalogue/read-catalogue.ts'
import { OPERATOR } from './accounts.ts'
import { printable } from './histories.ts'
import { onStores } from './stores.ts'
import { type Command, parseOptions, UsageError } from './usage.ts'

const WANTS = 'admission wants: list, stop SCOPE --reason TEXT, or start SCOPE; SCOPE is all, or organisation|region|engine NAME'
const REASON_LENGTH_MAX = 200
const WAIT_MS = 10_000

/** A stop in a line. */
export const stopLine = ({ scope, because, deletions, since }: Stop): string =>
  `${scope.kind === 'all' ? 'all' : `${scope.kind} ${scope.name}`}  since ${since}: ${printable(because)}` +
  (deletions ? '' : '  (no deletions either)')

const kindOf = (text: string | undefined) => {
  if (text === 'all' || text === 'organisation' || text === 'region' || text === 'engine') return text
  throw new UsageError(WANTS)
}

/** Stops the admission of new jobs, opens it again, and shows where it is stopped. */
export const admission: Command = async (args) => {
  const { values, positionals } = parseOptions(args, {
    options: { state: { type: 'string' }, reason: { type: 'string' }, 'no-deletions': { type: 'boolean' } },
    allowPositionals: true,
  })
  const [verb, kind, name, ...rest] = positionals
  const { reason = '' } = values
  if (verb !== 'list' && verb !== 'stop' && verb !== 'start') throw new UsageError(WANTS)
  if (rest.length > 0 || (verb === 'list' && kind !== undefined)) throw new UsageError(WANTS)
  if (verb === 'stop' && (reason.trim() === '' || reason.length > REASON_LENGTH_MAX)) {
    throw new UsageError(`--reason says to tenants why, in 1 to ${REASON_LENGTH_MAX} characters`)
  }
  await onStores(values.state, async ({ config, store, position, now }) => {
    const change = async () => {
      const scope = scopeOf({ scope: kindOf(kind), name }, { catalogue: readCatalogue(config.catalogueFile) })
      const about = { scope, now: now() }
      const { organisationId: _, ...cause } = causeBy(OPERATOR, '')
      const stop = { ...about, because: reason.trim(), deletions: values['no-deletions'] !== true }
      const outcome = await sendToInstallation({ store })(
        verb === 'stop' ? { type: 'StopAdmission', data: stop } : { type: 'OpenAdmission', data: about },
        cause,
      )
      if ('rejection' in outcome) throw new Error('BUG: an operator is not refused')
      if (outcome.position !== undefined) await position.waitFor(outcome.position, WAIT_MS)
      return outcome.state
    }
    const { stops } = verb === 'list' ? await admissionOf({ store }) : await change()
    for (const line of stops.length === 0 ? ['New jobs are taken everywhere.'] : stops.map(stopLine)) console.log(line)
  })
  return 0
}
