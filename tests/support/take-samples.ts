import { upcasters } from '../../projections/upcast.ts'
import { randomHistory } from './history.ts'
import { type Sample, keepSamples } from './samples.ts'

// Writes samples of the newest shapes, of what has none yet, from a random history. Run it when an event is new or changed.
const SEEDS = [1, 2, 3, 4, 5, 6]

const events = SEEDS.flatMap((seed) => randomHistory(seed, { datastores: 60, moves: 8_000 })).flatMap((it) => it.events)
const asWritten = events.map(({ type, data, metadata }): Sample => JSON.parse(JSON.stringify({ type, data, metadata })))
for (const [type, samples = []] of Object.entries(Object.groupBy(asWritten, (event) => event.type))) {
  const version = 1 + (upcasters[type]?.length ?? 0)
  const written = keepSamples({ type, version, samples })
  if (written > 0) console.log(`${type}.v${version}: ${written} sampled`)
}
