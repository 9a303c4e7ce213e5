import { open, mkdir, readFile, rename, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { z } from 'zod'
import type { Entry } from './zone.ts'

/** A step from one state of the zone to the next. */
export type Step = { readonly serial: number; readonly changes: readonly Entry[] }

const StepLine = z.object({
  serial: z.number().int().nonnegative(),
  changes: z.array(
    z.object({
      name: z.string(),
      ttlSeconds: z.number().int(),
      addresses: z.array(z.ipv4()),
      texts: z.object({ ttlSeconds: z.number().int(), data: z.array(z.base64()) }).exactOptional(),
    }),
  ),
})

/** A file of steps, one JSON line each: what is in it when `append` returns is there after a kill or a power cut. */
export type Journal = {
  readonly append: (step: Step) => Promise<void>
  /** How many steps a start would have to read. */
  readonly length: () => number
  /** Puts one step that says everything in place of all. */
  readonly compact: (whole: Step) => Promise<void>
  readonly close: () => Promise<void>
}

const syncFolder = async (folder: string): Promise<void> => {
  const handle = await open(folder, 'r')
  try {
    await handle.sync()
  } finally {
    await handle.close()
  }
}

const lineOf = (step: Step): Buffer => Buffer.from(`${JSON.stringify(step)}\n`)

const stepsIn = (text: string, file: string): readonly Step[] =>
  text.split('\n').slice(0, -1).map((line, i) => {
    try {
      return StepLine.parse(JSON.parse(line))
    } catch (cause) {
      throw new Error(`${file} is damaged at line ${i + 1}`, { cause })
    }
  })

/**
 * Opens a journal, making it when there is none. A last line without an end was never acknowledged and is cut off.
 *
 * @returns the journal, and the steps in it
 * @throws when a line other than the last is damaged: nothing may be guessed then
 */
export const openJournal = async (
  file: string,
): Promise<{ readonly journal: Journal; readonly steps: readonly Step[] }> => {
  await mkdir(dirname(file), { recursive: true })
  await (await open(file, 'a', 0o600)).close()
  const text = await readFile(file, 'utf8')
  const steps = stepsIn(text, file)
  let handle: FileHandle = await open(file, 'a', 0o600)
  let bytes = Buffer.byteLength(text.slice(0, text.lastIndexOf('\n') + 1))
  let count = steps.length
  await handle.truncate(bytes)
  await handle.sync()
  await syncFolder(dirname(file))

  return {
    steps,
    journal: {
      length: () => count,
      async append(step) {
        const line = lineOf(step)
        try {
          await handle.appendFile(line)
          await handle.datasync()
        } catch (cause) {
          // What may have been written of it must not come before the next line.
          await handle.truncate(bytes)
          throw new Error('the zone could not be written', { cause })
        }
        bytes += line.length
        count += 1
      },
      async compact(whole) {
        const beside = await open(`${file}.new`, 'w', 0o600)
        const line = lineOf(whole)
        try {
          await beside.writeFile(line)
          await beside.sync()
        } finally {
          await beside.close()
        }
        await rename(`${file}.new`, file)
        await syncFolder(dirname(file))
        await handle.close()
        handle = await open(file, 'a', 0o600)
        bytes = line.length
        count = 1
      },
      close: () => handle.close(),
    },
  }
}
