import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { z } from 'zod'
import type { JsonObject } from '../../domain/kernel/json.ts'
import { asyncApi } from '../../read-api/async-api.ts'

const FOLDER = join(import.meta.dirname, '..', 'samples', 'public-events')

const Schema = z.record(z.string(), z.json())
const Document = z.object({ components: z.object({ schemas: z.record(z.string(), Schema) }) })

/** The schema of each type's data, and of what is around it, as integrators read them today. */
export const schemasOfToday = (): Readonly<Record<string, JsonObject>> =>
  Document.parse(asyncApi('https://ccx.example')).components.schemas

/** The same as they were when each type was published. */
export const schemasAsPublished = (): Readonly<Record<string, JsonObject>> =>
  Object.fromEntries(
    readdirSync(FOLDER).map((file) => [
      file.replace(/\.json$/, ''),
      Schema.parse(JSON.parse(readFileSync(join(FOLDER, file), 'utf8'))),
    ]),
  )

// Run by hand when a type is published. What is there already is left as it is: it was promised.
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  mkdirSync(FOLDER, { recursive: true })
  const published = new Set(readdirSync(FOLDER))
  for (const [type, schema] of Object.entries(schemasOfToday())) {
    if (published.has(`${type}.json`)) continue
    writeFileSync(join(FOLDER, `${type}.json`), `${JSON.stringify(schema, undefined, 2)}\n`)
  }
}
