import { resolve } from 'node:path'
import { positionText, type Recorded } from '../../../domain/kernel/event-store.ts'
import { projections } from '../../../projections/index.ts'
import { READ_SCHEMA } from '../../../projections/schema.ts'
import { isSame } from '../../read-store/compare.ts'
import { deciders } from '../../rehearsal/deciders.ts'
import type { Divergence } from '../../rehearsal/decisions.ts'
import { type RowDivergence, releaseAt } from '../../rehearsal/lockstep.ts'
import { type Rehearsal, isTrue, rehearse as rehearsed } from '../../rehearsal/rehearse.ts'
import type { TableRehearsed } from '../../rehearsal/tables.ts'
import { onReadModels } from './read-models.ts'
import { type Command, parseOptions } from './usage.ts'

const SHOWN_MAX = 2_000

const counted = (count: number, what: string): string => `${count.toLocaleString('en')} ${what}${count === 1 ? '' : 's'}`
const shown = (value: unknown): string => (JSON.stringify(value) ?? 'nothing').slice(0, SHOWN_MAX)
const place = ({ position, stream, revision, type }: Recorded): string =>
  `${type} at ${positionText(position)}, event ${revision} of ${stream}`

const diverging = ({ event, recorded, instead }: Divergence, isOpenJob: Rehearsal['isOpenJob']): readonly string[] => [
  `  ${place(event)}${isOpenJob(event.stream) ? ' (this job is still at work)' : ''}`,
  `    recorded:  ${shown(recorded)}`,
  `    candidate: ${shown(instead)}`,
]

const ofTable = ({ name, versions: [live, version], comparison, differences, event }: TableRehearsed): readonly string[] => {
  if (isSame(comparison)) return [`  ${name}: ${counted(comparison.rows, 'row')}, all the same`]
  const { onlyInOne, onlyInOther, columns, columnsOfOne, columnsOfOther } = comparison
  const is = live === version ? 'DIFFERS, and its version is the same' : `differs, as version ${version} for ${live} says`
  return [
    `  ${name}: ${is}`,
    `    ${counted(onlyInOne, 'row')} only live, ${counted(onlyInOther, 'row')} only the candidate's`,
    ...Object.entries(columns).map(([column, count]) => `    ${column}: ${counted(count, 'row')} otherwise`),
    ...(columnsOfOne.length + columnsOfOther.length === 0
      ? []
      : [`    columns gone: ${columnsOfOne.join(', ') || 'none'}; new: ${columnsOfOther.join(', ') || 'none'}`]),
    ...differences.slice(0, 2).map(({ onlyIn, row }) => `    in ${onlyIn}: ${shown(row)}`),
    ...(event === undefined ? [] : [`    the last event about this row: ${place(event)}`]),
  ]
}

const ofRows = ({ projection, event, key, columns, one, other }: RowDivergence): readonly string[] => [
  `  ${projection}, row ${key}, in ${columns.join(', ')}: first after ${place(event)}`,
  `    candidate: ${shown(one)}`,
  `    other:     ${shown(other)}`,
]

const ofOther = ({ against, isOpenJob }: Rehearsal): readonly string[] => {
  if (against === undefined) return []
  const { rows, compared, decisions } = against
  return [
    `against the other release: ${counted(compared, 'projection')} in lockstep, ${rows.length} of them diverge`,
    ...rows.flatMap(ofRows),
    decisions === undefined
      ? '  its decisions are not compared: it does not list its deciders'
      : `  ${counted(decisions.length, 'decision')} on which they differ`,
    ...(decisions?.[0] === undefined ? [] : diverging(decisions[0], isOpenJob)),
  ]
}

/** What came of it, for people to read. */
const told = (rehearsal: Rehearsal): readonly string[] => {
  const { events, decided, folded, unknown, divergences, isOpenJob, jobs, tables } = rehearsal
  const [first] = divergences
  const inOpen = divergences.filter(({ event }) => isOpenJob(event.stream)).length
  return [
    `${counted(events, 'event')}: ${counted(decided, 'decision')} made again, ${folded} folded only (written before ` +
      `commands were recorded), ${counted(unknown, 'event')} of a kind unknown here`,
    `${counted(jobs.open, 'job')} at work, ${counted(jobs.ended, 'job')} ended`,
    ...(first === undefined
      ? ['every decision came out as it is written']
      : [
          `DIVERGES: ${counted(divergences.length, 'decision')} came out otherwise, ${inOpen} of jobs still at work; the first:`,
          ...diverging(first, isOpenJob),
        ]),
    'tables, made anew in a schema of their own, against the live ones:',
    ...tables.flatMap(ofTable),
    ...ofOther(rehearsal),
  ]
}

/**
 * Shows what this release would have made of all that has happened in an instance: whether it would have decided the
 * same, and made the same read models. Nothing of the instance is changed. The exit code is 1 when something diverges.
 */
export const rehearse: Command = async (args) => {
  const { values } = parseOptions(args, { options: { state: { type: 'string' }, against: { type: 'string' } } })
  const against = values.against === undefined ? undefined : await releaseAt(resolve(values.against))
  return onReadModels(values.state, 'ccx-rehearse', async ({ store, pool }) => {
    const began = performance.now()
    const live = { pool, schema: READ_SCHEMA }
    const rehearsal = await rehearsed({ store, candidate: { projections, deciders }, live, against })
    for (const line of told(rehearsal)) console.log(line)
    console.log(`took ${((performance.now() - began) / 1_000).toFixed(1)} s`)
    return isTrue(rehearsal) ? 0 : 1
  })
}
