import type { IncomingMessage } from 'node:http'
import rawBody from 'raw-body'
import { z } from 'zod'
import type { Refused } from '../../domain/kernel/endpoint.ts'
import { DEPTH_MAX, isTooDeep, jsonFault } from './json-fault.ts'
import { refusal } from './problems.ts'

export const BODY_BYTES_MAX = 1024 * 1024
const PLACE_LENGTH_MAX = 200

const Fault = z.object({ type: z.string() })

/** Ours for whatever goes wrong while a body arrives. */
const arrivalFault = (error: unknown): Refused => {
  const fault = Fault.safeParse(error)
  return fault.success && fault.data.type === 'entity.too.large'
    ? refusal('body-too-large', `the body has more than ${BODY_BYTES_MAX} bytes`)
    : refusal('malformed-body', 'the body did not arrive as its headers say')
}

/**
 * Reads a request's body whatever its method and content type are: the public clients send JSON without a type, and
 * bodies with DELETE.
 *
 * @returns its text; empty when there is none
 * @throws Refused when it is too large, encoded, or not UTF-8
 */
export const readText = async (request: IncomingMessage): Promise<string> => {
  const encoding = request.headers['content-encoding'] ?? 'identity'
  if (encoding !== 'identity') throw refusal('unsupported-encoding', 'the body must come without a content encoding')
  const length = request.headers['content-length']
  let bytes: Buffer
  try {
    bytes = await rawBody(request, { limit: BODY_BYTES_MAX, length: length ?? null })
  } catch (error) {
    throw arrivalFault(error)
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw refusal('malformed-body', 'the body is not UTF-8')
  }
}

/**
 * The value that a body holds.
 *
 * @returns undefined for an empty body
 * @throws Refused that names the place of the fault
 */
export const jsonOf = (text: string): unknown => {
  if (text.trim() === '') return undefined
  if (isTooDeep(text)) throw refusal('malformed-body', `the body is nested more than ${DEPTH_MAX} deep`)
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    const fault = jsonFault(text)
    throw refusal(
      'malformed-body',
      fault === undefined
        ? 'the body is not JSON'
        : `the body is not JSON: ${fault.expected} was expected ${placeOf(text, fault.at)}`,
    )
  }
  refuseUnstorable(value, 'the body')
  return value
}

const placeOf = (text: string, at: number): string => {
  if (at >= text.length) return `at its end (position ${at})`
  const before = text.slice(0, at).split('\n')
  return `at position ${at} (line ${before.length}, column ${(before.at(-1) ?? '').length + 1})`
}

/**
 * Refuses texts that no store can hold: NUL, and halves of surrogate pairs.
 *
 * @param place what to call the value
 */
export const refuseUnstorable = (value: unknown, place: string): void => {
  if (typeof value === 'string') {
    if (value.includes('\0') || !value.isWellFormed()) {
      throw refusal(
        'malformed-body',
        `${place} holds a character that no text may hold (NUL or half a surrogate pair)`,
      )
    }
  } else if (value !== null && typeof value === 'object') {
    for (const [name, member] of Object.entries(value)) {
      refuseUnstorable(name, `a name in ${place}`)
      refuseUnstorable(member, (place === 'the body' ? name : `${place}.${name}`).slice(-PLACE_LENGTH_MAX))
    }
  }
}

/** The fields of a form (application/x-www-form-urlencoded); a field that is given more than once is a list. */
export const formOf = (text: string): Readonly<Record<string, string | readonly string[]>> => {
  const fields = valuesOf(new URLSearchParams(text))
  refuseUnstorable(fields, 'the form')
  return fields
}

/** Names and values, as for a form. */
export const valuesOf = (parameters: URLSearchParams): Readonly<Record<string, string | readonly string[]>> =>
  Object.fromEntries(
    [...new Set(parameters.keys())].map((name) => {
      const values = parameters.getAll(name)
      return [name, values.length === 1 ? (values[0] ?? '') : values]
    }),
  )
