import { type Rejection, reject } from '../kernel/decider.ts'
import type { Vendor } from './catalogue.ts'

/** A parameter of the database server that a tenant may set, as one engine has it. */
export type Parameter = {
  readonly name: string
  readonly description: string
  /** `number`: in the unit, or without one; `select`: one of the allowed values; `text`: any, within its limits. */
  readonly type: 'text' | 'number' | 'boolean' | 'select'
  /** What holds where nobody has chosen. */
  readonly default: string
  /** Of a `select`, or of each part of a `text` that is a list with commas. */
  readonly allowed?: readonly string[]
  readonly min?: number
  readonly max?: number
  /** Whether a number may have a fraction. */
  readonly fraction?: boolean
  readonly minLength?: number
  readonly maxLength?: number
  readonly regex?: string
  /** What a number counts, such as `ms`. */
  readonly unit?: string
  /** Whether a server that runs takes it over, or has to be started anew. */
  readonly takes: 'reload' | 'restart'
  /** Whether a replica cannot work with less than its primary has. */
  readonly replicaNeeds?: boolean
  /** The exact versions that have it; absent: all of the vendor's. */
  readonly versions?: readonly string[]
  /** The types of datastore that have it; absent: all of the vendor's. */
  readonly types?: readonly string[]
}

/** Values by the names of their parameters, each as text. */
export type ParameterValues = Readonly<Record<string, string>>

/** A kind of datastore, as far as its parameters go. */
export type ParameterScope = { readonly version: string; readonly type: string }

/** What may be set on a datastore of exactly this version and type. */
export const parametersOf = (
  { parameters = [] }: Pick<Vendor, 'parameters'>,
  { version, type }: ParameterScope,
): readonly Parameter[] =>
  parameters.filter(
    ({ versions, types }) => (versions?.includes(version) ?? true) && (types?.includes(type) ?? true),
  )

export type ParameterRejection = 'unknown-parameter' | 'malformed-parameter'

const VALUE_LENGTH_MAX = 1_000
const NUMBER = /^-?(\d+(\.\d*)?|\.\d+)(e[+-]?\d{1,3})?$/i
const WHOLE = /^-?\d+$/
const BOOLEANS: readonly string[] = ['on', 'off', 'true', 'false', 'yes', 'no', '1', '0']

/**
 * Why values cannot be set.
 *
 * @param offered what may be set
 * @returns a refusal that names the parameter and the rule; undefined when all can
 */
export const valuesRefusal = (
  offered: readonly Parameter[],
  values: ParameterValues,
): Rejection<ParameterRejection> | undefined => {
  for (const [name, value] of Object.entries(values)) {
    const parameter = offered.find((one) => one.name === name)
    if (parameter === undefined) {
      return reject('unknown-parameter', `parameters.${name.slice(0, 100)}: there is no such parameter to be set here`)
    }
    const rule = brokenRule(parameter, value)
    if (rule !== undefined) return reject('malformed-parameter', `parameters.${name} ${rule}`)
  }
  return undefined
}

/** The rule that a value breaks; undefined: none. */
const brokenRule = (parameter: Parameter, value: string): string | undefined => {
  if (value.length > VALUE_LENGTH_MAX) return `must have at most ${VALUE_LENGTH_MAX} characters`
  switch (parameter.type) {
    case 'boolean':
      return BOOLEANS.includes(value.toLowerCase()) ? undefined : 'must be on or off'
    case 'select':
      return isAllowed(parameter, value) ? undefined : `must be one of: ${(parameter.allowed ?? []).join(', ')}`
    case 'number':
      return brokenRuleOfNumber(parameter, value)
    case 'text':
      return brokenRuleOfText(parameter, value)
  }
}

const isAllowed = ({ allowed = [] }: Parameter, value: string): boolean =>
  allowed.some((one) => one.toLowerCase() === value.toLowerCase())

const brokenRuleOfNumber = ({ fraction, min, max, unit }: Parameter, value: string): string | undefined => {
  const of = unit === undefined ? '' : ` of ${unit}`
  if (!(fraction === true ? NUMBER : WHOLE).test(value)) return `must be a ${fraction === true ? '' : 'whole '}number${of}`
  const number = Number(value)
  // Asked this way round because every comparison with NaN is false.
  const within = number >= (min ?? -Infinity) && number <= (max ?? Infinity) && Number.isFinite(number)
  return within ? undefined : `must be between ${min ?? 'any'} and ${max ?? 'any'}${unit === undefined ? '' : ` ${unit}`}`
}

const CONTROL = /\p{Cc}|\p{Cs}/u

const brokenRuleOfText = (parameter: Parameter, value: string): string | undefined => {
  const { allowed, minLength = 0, maxLength = VALUE_LENGTH_MAX, regex } = parameter
  if (CONTROL.test(value)) return 'must not hold control characters'
  if (value.length < minLength || value.length > maxLength) return `must have ${minLength} to ${maxLength} characters`
  if (regex !== undefined && !new RegExp(regex, 'u').test(value)) return `must match ${regex}`
  const parts = value.split(',').map((part) => part.trim())
  const strange = allowed === undefined ? undefined : parts.find((part) => part !== '' && !isAllowed(parameter, part))
  return strange === undefined ? undefined : `must be a list with commas of: ${(allowed ?? []).join(', ')}`
}

/** The rules of a parameter as some clients show them: `min=0,max=10`. */
export const validationOptions = ({ min, max, minLength, maxLength, regex }: Parameter): string =>
  Object.entries({ min, max, min_length: minLength, max_length: maxLength, regex })
    .flatMap(([rule, limit]) => (limit === undefined ? [] : [`${rule}=${limit}`]))
    .join(',')

/** Whether two sets of values are the same, whatever their order. */
export const sameValues = (one: ParameterValues, other: ParameterValues): boolean => {
  const names = Object.keys(one)
  return names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
}
