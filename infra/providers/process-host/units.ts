import { existsSync } from 'node:fs'
import { mkdir, open, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { Unit } from '../../host.ts'
import { familyOf, gone, isAlive, kill, killMachine, signalProcess } from './processes.ts'
import { safeName } from './names.ts'
import { isStillOn } from './power-state.ts'
import { eraseRecord, failedWith, readRecord, syncFolder, writeRecord } from './records.ts'
import { unitsOf, type Site } from './site.ts'
import { lastProcess, launch, logFile } from './unit-start.ts'

const LOG_BYTES_READ_MAX = 256 * 1024

const UnitRecord = z.object({
  name: z.string(),
  argv: z.tuple([z.string()], z.string()),
  env: z.record(z.string(), z.string()).optional(),
  stopSignal: z.enum(['SIGTERM', 'SIGINT', 'SIGQUIT']),
  stopTimeoutMs: z.number(),
  reloadSignal: z.literal('SIGHUP'),
})

const unitFile = (site: Site, name: string): string => join(unitsOf(site.folder), `${safeName(name)}.json`)

const unitFrom = ({ env, ...rest }: z.infer<typeof UnitRecord>): Unit => (env === undefined ? rest : { ...rest, env })

export const isRunning = async (site: Site, unit: Pick<Unit, 'name'>): Promise<boolean> => {
  const process_ = await lastProcess(site, safeName(unit.name))
  return process_ !== undefined && isAlive(process_)
}

/** Makes the unit run, now and after a boot. It is recorded first: a boot makes up for a start that is cut off. */
export const startUnit = async (site: Site, unit: Unit): Promise<void> => {
  const path = unitFile(site, unit.name)
  await mkdir(unitsOf(site.folder), { recursive: true, mode: 0o700 })
  // What was enabled before a fence must not be written after the boot that disabled it.
  const isKept = await writeRecord(path, unit, () => isStillOn(site))
  if (isKept && !(await isRunning(site, unit))) await launch(site, unit)
  if (!isStillOn(site)) throw new Error(`the machine was powered off while the unit ${unit.name} was started`)
}

/** Ends the unit, with everything it has started, and keeps it from coming back at boot. */
export const stopUnit = async (site: Site, unit: Unit): Promise<void> => {
  // Disabled first: a stop that is cut off must not be undone by a boot.
  await eraseRecord(unitFile(site, unit.name))
  const process_ = await lastProcess(site, safeName(unit.name))
  if (process_ === undefined) return
  const family = await familyOf(process_)
  await signalProcess(process_, unit.stopSignal)
  await gone([process_], unit.stopTimeoutMs)
  await kill(family)
}

export const reloadUnit = async (site: Site, unit: Unit): Promise<void> => {
  const process_ = await lastProcess(site, safeName(unit.name))
  if (process_ !== undefined) await signalProcess(process_, unit.reloadSignal)
}

/** The last lines that the unit wrote; none when it never ran. */
export const logOf = async (site: Site, unit: Unit, lines: number): Promise<string> => {
  try {
    const handle = await open(logFile(site, safeName(unit.name)), 'r')
    try {
      const { size } = await handle.stat()
      const length = Math.min(size, LOG_BYTES_READ_MAX)
      const { buffer } = await handle.read(Buffer.alloc(length), 0, length, size - length)
      return buffer.toString('utf8').trimEnd().split('\n').slice(-lines).join('\n')
    } finally {
      await handle.close()
    }
  } catch (cause) {
    if (failedWith(cause, 'ENOENT')) return ''
    throw new Error(`could not read the log of the unit ${unit.name}`, { cause })
  }
}

const unitFiles = async (site: Pick<Site, 'folder'>, ending: string): Promise<readonly string[]> => {
  try {
    return (await readdir(unitsOf(site.folder))).filter((file) => file.endsWith(ending)).toSorted()
  } catch (cause) {
    if (failedWith(cause, 'ENOENT')) return []
    throw new Error('could not list the units of a machine', { cause })
  }
}

/** Starts every enabled unit that does not run. */
export const startEnabled = async (site: Site): Promise<void> => {
  for (const file of await unitFiles(site, '.json')) {
    const path = join(unitsOf(site.folder), file)
    const record = await readRecord(path, UnitRecord)
    if (record === undefined || (await isRunning(site, record))) continue
    await launch(site, unitFrom(record))
    // Disabled meanwhile, with all the others after a fence or by a stop that found nothing to stop yet.
    if (!existsSync(path)) await killUnit(site, record)
  }
}

const killUnit = async (site: Site, { name }: Pick<Unit, 'name'>): Promise<void> => {
  const process_ = await lastProcess(site, safeName(name))
  if (process_ !== undefined) await kill(await familyOf(process_))
}

/** Keeps every unit that was enabled from being started at a boot, durably. */
export const disableUnits = async (folder: string): Promise<void> => {
  for (const file of await unitFiles({ folder }, '.json')) await eraseRecord(join(unitsOf(folder), file))
  await syncFolder(unitsOf(folder))
}

/** Ends every program of the machine at once, as when its power is cut: enabled units come back at boot. */
export const cutPower = async (folder: string): Promise<void> => {
  const names = (await unitFiles({ folder }, '.pid')).map((file) => file.slice(0, -'.pid'.length))
  const units = await Promise.all(names.map((name) => lastProcess({ folder }, name)))
  await killMachine(folder, units.flatMap((unit) => unit ?? []))
}
