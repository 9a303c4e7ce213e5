/** Something that happened. JSON-safe, so what is written is exactly what is read back. */
export type Event<Type extends string = string, Data extends object = object> = {
  readonly type: Type
  readonly data: Readonly<Data>
}

/** Something that is asked for. Time and ids are part of the asking: the domain has neither of its own. */
export type Command<Type extends string = string, Data extends object = object> = {
  readonly type: Type
  readonly data: Readonly<Data>
}

/** A refusal is a value, not an exception: the caller must look at it. */
export type Rejection<Code extends string = string> = { readonly rejected: Code; readonly because: string }

/** Events, nothing (it is so already: a repeat is no error), or a refusal. There is no fourth outcome. */
export type Decision<E extends Event, Code extends string> = readonly E[] | Rejection<Code>

/** The whole of an aggregate: three pure members, no clock, no I/O, no ids of its own. */
export type Decider<C extends Command, E extends Event, S, Code extends string> = {
  readonly initial: S
  readonly decide: (command: C, state: S) => Decision<E, Code>
  readonly evolve: (state: S, event: E) => S
}

export const reject = <const Code extends string>(rejected: Code, because: string): Rejection<Code> => ({ rejected, because })

export const isRejection = <E extends Event, Code extends string>(
  decision: Decision<E, Code>,
): decision is Rejection<Code> => 'rejected' in decision
