import { z } from 'zod'

/** What an event says, as JSON. */
export type Data = Readonly<Record<string, unknown>>

/** Turns the data of an event from one shape into the next. Pure, and for ever: the log keeps what was written. */
export type Upcaster = (data: Data) => Data

/**
 * By the type of event: the first turns the first shape into the second, and so on. On the wire the first shape has the
 * bare type, the others a suffix, as in `StepOrdered.v2`; inside there is only the newest one, under the bare type.
 */
export type Upcasters = Readonly<Record<string, readonly Upcaster[]>>

const OrderOnNamedCluster = z.looseObject({
  order: z.looseObject({ body: z.looseObject({ cluster: z.looseObject({ name: z.string() }) }) }),
})

/** The name of a datastore is its tenant's own word, and of no use to the controller. */
const withoutClusterName: Upcaster = (data) => {
  const found = OrderOnNamedCluster.safeParse(data)
  if (!found.success) return data
  const { order } = found.data
  const { name: _, ...cluster } = order.body.cluster
  return { ...found.data, order: { ...order, body: { ...order.body, cluster } } }
}

/** The reply repeats the tenant's own words, so it is one sealed text now; an old one is the same text in the clear. */
const withReplyAsText: Upcaster = ({ body, ...answered }) => ({ ...answered, answer: JSON.stringify(body ?? null) })

/** Every shape that was ever left behind. */
export const upcasters: Upcasters = {
  RequestAnswered: [withReplyAsText],
  StepOrdered: [withoutClusterName],
}

type Shaped = { readonly type: string; readonly data: Data }

export type Shapes = {
  /** The name under which an event of this type is written. */
  readonly wireType: (type: string) => string
  /**
   * An event in its newest shape, under its bare type. One in a shape newer than is known here keeps the name it has on
   * the wire, which nobody inside knows.
   */
  readonly read: (written: Shaped) => Shaped
  /** The same, and beside it what was written where that has another shape or name. */
  readonly recall: (written: Shaped) => Shaped & { readonly written?: Shaped }
}

/** How events are named when they are written, and what is made of them when they are read. */
export const shapesOf = (known: Upcasters): Shapes => {
  const wireTypes = new Map<string, string>()
  const readers = new Map<string, (data: Data) => Shaped>()
  for (const [type, steps] of Object.entries(known)) {
    const newest = steps.length + 1
    if (newest > 1) wireTypes.set(type, `${type}.v${newest}`)
    for (let version = 1; version <= newest; version++) {
      const left = steps.slice(version - 1)
      const read = (data: Data): Shaped => ({ type, data: left.reduce((shape, upcast) => upcast(shape), data) })
      readers.set(`${type}.v${version}`, read)
      if (version === 1) readers.set(type, read)
    }
  }
  const read = (written: Shaped): Shaped => readers.get(written.type)?.(written.data) ?? written
  return {
    wireType: (type) => wireTypes.get(type) ?? type,
    read,
    recall: (written) => {
      const shape = read(written)
      return shape.type === written.type && shape.data === written.data ? shape : { ...shape, written }
    },
  }
}

/** The shapes that events are written and read in. */
export const shapes: Shapes = shapesOf(upcasters)
