import { z } from 'zod'
import { type Parameter, valuesRefusal } from '../../domain/catalogue/parameters.ts'

const text = z.string().min(1)
const isPattern = (pattern: string): boolean => {
  try {
    return new RegExp(pattern, 'u').source !== ''
  } catch {
    return false
  }
}

const ParameterEntry = z
  .strictObject({
    name: z.string().regex(/^[a-z][a-z0-9_]{0,62}$/, 'must be lower-case letters, digits and "_"'),
    description: text,
    type: z.enum(['text', 'number', 'boolean', 'select']),
    default: z.string(),
    allowed: z.array(text).min(1).exactOptional(),
    min: z.number().exactOptional(),
    max: z.number().exactOptional(),
    fraction: z.boolean().exactOptional(),
    minLength: z.int().min(0).exactOptional(),
    maxLength: z.int().min(1).exactOptional(),
    regex: text.refine(isPattern, 'must be a regular expression').exactOptional(),
    unit: text.exactOptional(),
    takes: z.enum(['reload', 'restart']),
    replicaNeeds: z.boolean().exactOptional(),
    versions: z.array(text).min(1).exactOptional(),
    types: z.array(text).min(1).exactOptional(),
  })
  .superRefine((parameter, context) => {
    const fault = faultOf(parameter)
    if (fault !== undefined) context.addIssue({ code: 'custom', message: `${parameter.name}: ${fault}` })
  })

/** What is wrong with an entry whose members are each well formed. */
const faultOf = (parameter: Parameter): string | undefined => {
  const { name, type, allowed, min, max } = parameter
  if (type === 'select' && allowed === undefined) return 'a select needs its allowed values'
  if (type === 'number' && (min === undefined || max === undefined)) return 'a number needs min and max'
  if (min !== undefined && max !== undefined && min > max) return 'min is greater than max'
  return valuesRefusal([parameter], { [name]: parameter.default })?.because
}

/** What tenants may set on the servers of one engine. A name may be there again for other versions or types. */
export const ParameterFile = z.array(ParameterEntry).superRefine((entries, context) => {
  entries.forEach((entry, index) => {
    const clash = entries.slice(0, index).some((other) => other.name === entry.name && meet(other, entry))
    if (clash) context.addIssue({ code: 'custom', path: [index, 'name'], message: `"${entry.name}" is there twice` })
  })
}) satisfies z.ZodType<readonly Parameter[]>

const meet = (one: Parameter, other: Parameter): boolean =>
  share(one.versions, other.versions) && share(one.types, other.types)

/** Absent stands for all. */
const share = (one: readonly string[] | undefined, other: readonly string[] | undefined): boolean =>
  one === undefined || other === undefined || one.some((code) => other.includes(code))
