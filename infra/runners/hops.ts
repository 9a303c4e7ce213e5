import { remembered } from '../../command-handlers/remembered.ts'

const OUTCOMES_REMEMBERED = 1_000

/** Measures from an outcome's arrival to the departure of each order that it led to. */
export const hops = (record: (seconds: number) => void) => {
  const arrivals = remembered<number>(OUTCOMES_REMEMBERED)
  return {
    /** The answer to this order has arrived. */
    arrived: (orderId: string): void => arrivals.set(orderId, performance.now()),
    /** An order has left that this id caused: an outcome's order, or something that is not measured. */
    left: (causationId: string): void => {
      const began = arrivals.get(causationId)
      if (began !== undefined) record((performance.now() - began) / 1_000)
    },
  }
}

export type Hops = ReturnType<typeof hops>
