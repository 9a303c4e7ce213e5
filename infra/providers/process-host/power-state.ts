// Asked before, during and after every call to a machine, and right after a program is begun. So it costs no process and
// no turn of the event loop: a few looks at files that are in memory.
import { randomUUID } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import { fenceFile, onFile } from './kept.ts'
import { eraseRecord, failedWith, writeRecord } from './records.ts'

/**
 * The text of a small file, at once.
 *
 * @returns undefined when there is none, or when it is of a network link that is down (EINVAL)
 */
export const textNow = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    if (failedWith(cause, 'ENOENT', 'ENOTDIR', 'EINVAL')) return undefined
    throw new Error(`could not read ${path}`, { cause })
  }
}

let bootId: string | undefined
/** The start of the machine underneath, before whose like nothing runs. */
const thisBoot = (): string => (bootId ??= readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim())

/**
 * Which time the machine is on, as its record says. Another one than before means that it was off meanwhile: whatever was
 * begun before is over.
 *
 * @returns undefined when it is off: not booted since the machine underneath was, or halted or fenced since
 */
export const poweredSince = (folder: string): string | undefined => {
  if (existsSync(fenceFile(folder))) return undefined
  const text = textNow(onFile(folder))
  return text?.includes(thisBoot()) === true ? text : undefined
}

export const isOn = (folder: string): boolean => poweredSince(folder) !== undefined

/** Whether the machine is on, and has been all the time since what is going on there was begun. */
export const isStillOn = ({ folder, since }: { readonly folder: string; readonly since: string | undefined }): boolean =>
  since !== undefined && poweredSince(folder) === since

/** From here on programs can be begun. */
export const markOn = async (folder: string): Promise<void> => {
  if (!isOn(folder)) await writeRecord(onFile(folder), { bootId: thisBoot(), since: randomUUID() })
}

/** From here on no program is begun that is not killed at once. */
export const markOff = (folder: string): Promise<void> => eraseRecord(onFile(folder))
