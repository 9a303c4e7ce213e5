import type { Rule } from './rule.ts'

/** Makes hold what the specification says of trusted sources: it takes them as they are when its turn comes. */
export const applyFirewall: Rule<object, never> = {
  changed: (shape) => shape,
  refusal: () => undefined,
  whileStopped: true,
  mustBeDone: true,
}
