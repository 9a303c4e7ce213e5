import { type Position, positionText } from '../../../domain/kernel/event-store.ts'
import { projections } from '../../../projections/index.ts'
import type { Projection } from '../../../projections/projection.ts'
import { READ_SCHEMA } from '../../../projections/schema.ts'
import type { Checkpoint } from '../../read-store/checkpoints.ts'
import { type Comparison, isSame } from '../../read-store/compare.ts'
import type { Filled } from '../../read-store/fill.ts'
import { type Renewed, type Standing, renew, standings, swapBack } from '../../read-store/renew.ts'
import { onReadModels } from './read-models.ts'
import { type Command, parseOptions, UsageError } from './usage.ts'

const TELL_EVERY_MS = 1_000
const DIFFERENCES_SHOWN = 5
const VALUE_SHOWN = 400

const chosen = (name: string): readonly Projection[] => {
  if (name === 'all') return projections
  const found = projections.filter((projection) => projection.name === name)
  if (found.length > 0) return found
  throw new UsageError(`there is no projection ${name}; there are ${projections.map((it) => it.name).join(', ')}`)
}

const counted = (count: number): string => Math.round(count).toLocaleString('en')

/**
 * Says how far it has come, now and then. Positions are not dense, so how many events there are in all is a guess from
 * those that have been read.
 */
const progress = (head: Position | 'start') => {
  const began = performance.now()
  let told = began
  return ({ events, position }: Filled): void => {
    const now = performance.now()
    if (now - told < TELL_EVERY_MS || position === 'start' || head === 'start') return
    told = now
    const done = Math.min(1, Number(position.commit) / Number(head.commit))
    const perSecond = (events / (now - began)) * 1_000
    const leftSeconds = (events / done - events) / perSecond
    const all = counted(events / done)
    console.log(`  ${counted(events)} of about ${all} events, ${counted(perSecond)} a second, ${Math.ceil(leftSeconds)} s left`)
  }
}

const differing = ({ onlyInOne, onlyInOther, columns, columnsOfOne, columnsOfOther }: Comparison): string =>
  [
    ...(onlyInOne > 0 ? [`${counted(onlyInOne)} only live`] : []),
    ...(onlyInOther > 0 ? [`${counted(onlyInOther)} only new`] : []),
    ...Object.entries(columns).map(([column, count]) => `${counted(count)} otherwise in ${column}`),
    ...(columnsOfOne.length > 0 ? [`columns only live: ${columnsOfOne.join(', ')}`] : []),
    ...(columnsOfOther.length > 0 ? [`columns only new: ${columnsOfOther.join(', ')}`] : []),
  ].join('; ')

const OUTCOMES: Readonly<Record<Renewed['outcome'], string>> = {
  swapped: 'swapped',
  'not-asked-for': 'not swapped, as asked',
  'rows-differ': 'NOT swapped, because the same version made other rows; --accept swaps all the same',
  'another-version-at-work': 'NOT swapped, because the projector at work is of another version; start this release',
}

/** What came of it, for people to read. */
const told = ({ name, version, liveVersion, comparison, differences, outcome, atRestMs }: Renewed): readonly string[] => {
  const versions = liveVersion === version ? `version ${version}` : `version ${liveVersion ?? 'none'} to ${version}`
  const verdict = isSame(comparison) ? 'all the same' : differing(comparison)
  return [
    `${name} (${versions}): ${counted(comparison.rows)} rows, ${verdict}`,
    ...differences
      .slice(0, DIFFERENCES_SHOWN)
      .map(({ onlyIn, row }) => `    in ${onlyIn}: ${JSON.stringify(row).slice(0, VALUE_SHOWN)}`),
    `    ${OUTCOMES[outcome]}; the projector waited ${atRestMs.toFixed(0)} ms`,
  ]
}

const listed = ({ name, version, live, next, previous }: Standing): string => {
  const shown = (checkpoint: Checkpoint | undefined): string =>
    checkpoint === undefined ? 'none' : `version ${checkpoint.version} at ${positionText(checkpoint.position)}`
  return `${name} (this release: version ${version})\n` +
    `    live ${shown(live)}, next ${shown(next)}, previous ${shown(previous)}`
}

/**
 * Makes read models anew from the log while they are written and read, compares them row by row with those that are
 * there, and swaps; or swaps back. The exit code is 1 when what was asked for was not done.
 */
export const rebuild: Command = async (args) => {
  const { values, positionals } = parseOptions(args, {
    options: {
      state: { type: 'string' },
      accept: { type: 'boolean', default: false },
      'no-swap': { type: 'boolean', default: false },
      back: { type: 'boolean', default: false },
      list: { type: 'boolean', default: false },
    },
    allowPositionals: true,
  })
  const [name, ...rest] = positionals
  if (rest.length > 0 || (name === undefined) !== values.list) throw new UsageError('rebuild wants: PROJECTION or all')
  const wanted = name === undefined ? projections : chosen(name)
  return onReadModels(values.state, 'ccx-rebuild', async ({ store, pool }) => {
    const stores = { store, pool, schema: READ_SCHEMA }
    if (values.list) {
      for (const standing of await standings(pool, { ...stores, projections })) console.log(listed(standing))
      return 0
    }
    if (values.back) {
      for (const projection of wanted) {
        const atRestMs = await swapBack({ ...stores, projections: wanted }, projection)
        console.log(`${projection.name}: swapped back; the projector waited ${atRestMs.toFixed(0)} ms`)
      }
      return 0
    }
    const began = performance.now()
    const wishes = { accept: values.accept, swap: !values['no-swap'] }
    const onProgress = progress(await store.head())
    const renewed = await renew({ ...stores, ...wishes, projections: wanted, onProgress })
    for (const line of renewed.flatMap(told)) console.log(line)
    console.log(`took ${((performance.now() - began) / 1_000).toFixed(1)} s`)
    return renewed.every(({ outcome }) => outcome === 'swapped' || outcome === 'not-asked-for') ? 0 : 1
  })
}
