import type { z } from 'zod'
import type { DescribedCall } from './described-calls.ts'
import { exampleOf } from './described-calls.ts'

type Json = z.core.util.JSONType

/** In place of any value. */
export const HOSTILE_VALUES: readonly Json[] = [
  null, true, 0, -1, 1.5, 1e308, Number.MAX_SAFE_INTEGER, '', ' ', 'x'.repeat(5_000), '\u0000', '\ud800', '__proto__',
  "'; drop table x; --", '‮🐘', '../../etc/passwd', '4f1c2a9e-0000-4000-8000-00000000abcd', [], [[]], [null], [{}], {},
  { length: 3 }, { constructor: 1 }, Array.from({ length: 2_000 }, () => 'a'),
]

/** In place of an id in a path, as it is sent. */
export const HOSTILE_IDS: readonly string[] = [
  '0', '-1', 'null', '%20', '%00', '%ff', '..%2f..%2fetc', '%F0%9F%90%98', 'x'.repeat(400), "'%3B--",
  '00000000-0000-0000-0000-000000000000',
  '4F1C2A9E-0000-4000-8000-00000000ABCD', '{uuid}', '*',
]

/** In place of a query's value, as it is sent. */
export const HOSTILE_TEXTS: readonly string[] = [
  '', '0', '-1', '1e9', '1.5', '99999999999999999999', 'NaN', '%00', '%ff', '%F0%9F%90%98', 'true', '[]', '{}',
  "'%20or%201=1--",
  '2030-13-45', 'x'.repeat(3_000),
]

const isMembers = (value: Json): value is { readonly [name: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Every value with one thing in it replaced, left out, or put beside it. */
export function* mutationsOf(value: Json): Generator<Json> {
  yield* HOSTILE_VALUES
  if (!isMembers(value)) return
  for (const [name, member] of Object.entries(value)) {
    const { [name]: _, ...others } = value
    yield others
    for (const hostile of HOSTILE_VALUES) yield { ...value, [name]: hostile }
    if (isMembers(member)) for (const inner of mutationsOf(member)) yield { ...value, [name]: inner }
  }
  for (const name of ['__proto__', 'constructor', 'toString', 'zzz']) {
    yield Object.fromEntries([...Object.entries(value), [name, 'x']])
  }
}

export type Payload = { readonly text: string; readonly type: string | undefined }

/** What is no JSON, or too much of it. */
const RAW: readonly Payload[] = [
  '', '{', '{"a":1,"a":2}', 'null', '[]', '"x"', '1', '\u0000', '{"a":"\\ud800"}',
  '['.repeat(20_000), `${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}`,
  `"${'x'.repeat(1_048_577)}"`, '<xml/>', 'a=1&b=2',
].map((text) => ({ text, type: 'application/json' }))

/** Payloads for a call that takes a body; those for all kinds of calls first. */
export function* payloadsOf({ body, isForm }: DescribedCall): Generator<Payload> {
  yield* RAW
  for (const type of ['text/plain', 'application/xml', 'multipart/form-data', undefined]) yield { text: '{"a":1}', type }
  if (body === undefined) return
  for (const value of mutationsOf(exampleOf(body))) {
    if (!isForm) yield { text: JSON.stringify(value), type: 'application/json' }
    else if (isMembers(value)) {
      const textOf = (one: Json): string => (typeof one === 'string' ? one.toWellFormed() : JSON.stringify(one))
      const texts = Object.entries(value).map(([name, one]): [string, string] => [name, textOf(one)])
      yield { text: new URLSearchParams(texts).toString(), type: 'application/x-www-form-urlencoded' }
    }
  }
}
