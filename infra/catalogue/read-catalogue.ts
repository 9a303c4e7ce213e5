import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { parse } from 'yaml'
import { z } from 'zod'
import type { Catalogue } from '../../domain/catalogue/catalogue.ts'
import { ParameterFile } from './parameter-file.ts'

export const DEFAULT_CATALOGUE = join(import.meta.dirname, 'default.yaml')

const text = z.string().min(1)
const code = z
  .string()
  .regex(/^[a-z0-9][a-z0-9._-]{0,63}$/, 'must be a code: lower-case letters, digits, ".", "_" and "-"')
const price = z.number().min(0)

/** A list of things that each have a code of their own. */
const coded = <T extends z.ZodType<{ readonly code: string }>>(item: T) =>
  z.array(item).superRefine((items, context) => {
    items.forEach(({ code: one }, index) => {
      if (items.findIndex((other) => other.code === one) < index) {
        context.addIssue({ code: 'custom', path: [index, 'code'], message: `"${one}" is there twice` })
      }
    })
  })

const bounds = z
  .strictObject({ min: z.int().min(1), max: z.int().min(1), default: z.int().min(1) })
  .refine(({ min, max, default: chosen }) => min <= chosen && chosen <= max, 'default must lie between min and max')

const Vendor = z.strictObject({
  code,
  aliases: z.array(code),
  name: text,
  info: z.string(),
  engine: code,
  enabled: z.boolean(),
  beta: z.boolean(),
  versions: z.array(text).min(1),
  types: coded(z.strictObject({ code, name: text })).min(1),
  sizes: z.array(z.int().min(1)).min(1),
  port: z.int().min(1).max(65535),
  exporter: z.strictObject({ name: text, port: z.int().min(1).max(65535) }).optional(),
  account: z.strictObject({ username: text, database: text }),
  /** A file beside this one, or beside the catalogue that comes with the control plane. */
  parameters: text.exactOptional(),
})

const Region = z.strictObject({
  code,
  displayCode: text,
  name: text,
  countryCode: z.string(),
  continentCode: z.string(),
  city: z.string(),
  zones: coded(z.strictObject({ code, name: text })).min(1),
})

const Instance = z.strictObject({
  code,
  type: text,
  name: text,
  cpu: z.number().positive(),
  ramGb: z.number().positive(),
  pricePerHour: price,
})

const Volume = z.strictObject({
  code,
  name: text,
  info: z.string(),
  sizeGib: bounds,
  iops: bounds.nullable(),
  pricePerGibMonth: price,
})

const Network = z.strictObject({
  code: z.enum(['public', 'private']),
  name: text,
  info: z.string(),
  enabled: z.boolean(),
})

const Cloud = z.strictObject({
  code,
  name: text,
  fullName: text,
  group: text,
  provider: code,
  regions: coded(Region).min(1),
  instances: coded(Instance).min(1),
  volumes: coded(Volume),
  networks: coded(Network).min(1),
})

const CatalogueFile = z.strictObject({
  limits: z.strictObject({
    nodesMax: z.int().min(1).max(64),
    nameLengthMax: z.int().min(1).max(256),
    tagsMax: z.int().min(0).max(100),
    tagLengthMax: z.int().min(1).max(256),
  }),
  vendors: coded(Vendor)
    .min(1)
    .superRefine((vendors, context) => {
      const names = vendors.flatMap((vendor, index) =>
        [vendor.code, ...vendor.aliases].map((name) => ({ name, index })),
      )
      names.forEach(({ name, index }, place) => {
        if (names.findIndex((other) => other.name === name) < place) {
          context.addIssue({ code: 'custom', path: [index, 'aliases'], message: `"${name}" names a vendor already` })
        }
      })
    }),
  clouds: coded(Cloud).min(1),
})

/**
 * Reads what this installation offers.
 *
 * @param path a YAML file; default the one that comes with the control plane
 * @throws one message that lists every fault of the file
 */
export const readCatalogue = (path = DEFAULT_CATALOGUE): Catalogue => {
  const { vendors, ...rest } = readYaml(path, 'catalogue', CatalogueFile)
  return {
    ...rest,
    vendors: vendors.map(({ parameters: file, ...vendor }) => {
      if (file === undefined) return vendor
      const beside = [path, DEFAULT_CATALOGUE].map((one) => resolve(dirname(one), file)).find((one) => existsSync(one))
      return { ...vendor, parameters: readYaml(beside ?? file, 'list of parameters', ParameterFile) }
    }),
  }
}

const readYaml = <T>(path: string, what: string, schema: z.ZodType<T>): T => {
  let content: unknown
  try {
    // Merge keys and custom tags stay off: the file is data.
    content = parse(readFileSync(path, 'utf8'))
  } catch (cause) {
    throw new Error(`the ${what} ${path} cannot be read`, { cause })
  }
  const parsed = schema.safeParse(content)
  if (!parsed.success) throw new Error(`the ${what} ${path} has faults:\n${z.prettifyError(parsed.error)}`)
  return parsed.data
}
