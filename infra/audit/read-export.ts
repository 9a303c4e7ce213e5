import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import type { Checkpoint } from '../../domain/audit/checkpoint.ts'
import type { Unreadable } from '../../domain/audit/checking.ts'
import { EXPORT_FORMAT, type ExportLine, type Verdict } from '../../domain/audit/export.ts'
import { verifyExport } from '../../domain/audit/verify.ts'
import { sha256 } from './sha256.ts'
import { verifyingKey } from './signing-key.ts'

const count = z.int().min(0)
const hash = z.string().regex(/^[0-9a-f]{64}$/)

const Signed = z.object({
  organisationId: z.string(),
  size: count,
  rootHash: hash,
  chainHash: hash,
  position: z.string(),
  at: z.string(),
  keyId: z.string(),
  signature: z.string(),
}) satisfies z.ZodType<Checkpoint>

/** As the export has it, or as the API shows it. */
const Kept = z.union([
  z.object({ checkpoint: Signed }).transform(({ checkpoint }) => checkpoint),
  Signed,
  z
    .object({
      organisation: z.string(), size: count, root_hash: hash, chain_hash: hash, position: z.string(), at: z.string(),
      key_id: z.string(), signature: z.string(),
    })
    .transform(({ organisation, root_hash, chain_hash, key_id, ...rest }) => ({
      ...rest, organisationId: organisation, rootHash: root_hash, chainHash: chain_hash, keyId: key_id,
    })),
])

const Line = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('entry'),
    entry: z.looseObject({ organisation: z.string(), n: count, position: z.string() }),
    leaf_hash: hash,
    chain_hash: hash,
    proof: z.array(hash).exactOptional(),
  }),
  z.object({ kind: z.literal('checkpoint'), checkpoint: Signed }),
  z.object({
    kind: z.literal('header'),
    format: z.literal(EXPORT_FORMAT),
    organisation: z.string(),
    complete: z.boolean(),
    size: count,
  }),
  z.object({ kind: z.literal('key'), key_id: z.string(), public_key: z.string() }),
  z.object({ kind: z.literal('end'), entries: count }),
]) satisfies z.ZodType<ExportLine>

const lineOf = (text: string, line: number): ExportLine | Unreadable => {
  try {
    return Line.parse(JSON.parse(text))
  } catch {
    return { kind: 'unreadable', line }
  }
}

/**
 * Reads a checkpoint that was kept.
 *
 * @param text one JSON value: a line of an export, or an element of the API's list
 * @throws when it is none
 */
export const readCheckpoint = (text: string): Checkpoint => {
  try {
    return Kept.parse(JSON.parse(text))
  } catch (cause) {
    throw new Error('this is no checkpoint: a line of an export, or an element of the list of checkpoints, is wanted', { cause })
  }
}

const PEM = /-----BEGIN PUBLIC KEY-----[^-]+-----END PUBLIC KEY-----/g
const Keys = z.object({ keys: z.array(z.object({ public_key: z.string() })) })

/**
 * Reads public keys.
 *
 * @param text one or more in PEM, or what the API lists
 * @throws when there is none
 */
export const readPublicKeys = (text: string): readonly string[] => {
  const listed = text.trimStart().startsWith('{') ? Keys.parse(JSON.parse(text)).keys : undefined
  const found = listed === undefined ? text.match(PEM) : listed.map(({ public_key }) => public_key)
  if (found !== null && found.length > 0) return found
  throw new Error('there is no public key: PEM is wanted, or the list that the API gives')
}

/**
 * Verifies the lines of an export, holding one at a time.
 *
 * @param options.publicKeys in PEM; nothing else is believed
 * @param options.kept a checkpoint that was kept elsewhere, which the export must reach
 */
export const verifyLines = async (
  lines: AsyncIterable<string> | Iterable<string>,
  { publicKeys, kept }: { readonly publicKeys: readonly string[]; readonly kept?: Checkpoint | undefined },
): Promise<Verdict> => {
  const keys = new Map(publicKeys.map(verifyingKey).map(({ keyId, verify }) => [keyId, verify]))
  const { take, verdict } = verifyExport({
    sha256,
    kept,
    verify: (keyId, text, signature) => keys.get(keyId)?.(text, signature),
  })
  let number = 0
  for await (const text of lines) take(lineOf(text, ++number))
  return verdict()
}

/** The lines of a file, as they are asked for. */
export const linesOf = (path: string): AsyncIterable<string> =>
  createInterface({ input: createReadStream(path), crlfDelay: Infinity })
