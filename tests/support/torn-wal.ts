import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { open } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { PostgresCluster } from './postgres.ts'

const run = promisify(execFile)

const outputOf = async (program: string, argv: readonly string[]): Promise<string> => {
  try {
    const { stdout, stderr } = await run(program, argv, { maxBuffer: 64 * 1_048_576 })
    return stdout + stderr
  } catch (error) {
    // pg_waldump ends with an error where the log ends, and says there where that is.
    if (error instanceof Error && 'stderr' in error) return String(error.stderr)
    throw error
  }
}

const found = (pattern: RegExp, text: string): string => {
  const match = pattern.exec(text)?.[1]
  if (match === undefined) throw new Error(`there is no ${pattern.source} in: ${text.slice(-500)}`)
  return match
}

/**
 * Leaves behind what a power cut leaves in the middle of a write: the beginning of a record after the last whole one,
 * and rubbish after that. The server must be dead.
 */
export const tearWal = async ({ bin, data }: Pick<PostgresCluster, 'bin' | 'data'>): Promise<void> => {
  const control = await outputOf(join(bin, 'pg_controldata'), ['-D', data])
  const redo = found(/REDO location:\s+([0-9A-F]+\/[0-9A-F]+)/, control)
  const timeline = Number(found(/Latest checkpoint's TimeLineID:\s+(\d+)/, control))
  const segmentBytes = Number(found(/Bytes per WAL segment:\s+(\d+)/, control))
  const dumped = await outputOf(join(bin, 'pg_waldump'), ['-q', '-p', join(data, 'pg_wal'), '-s', redo])
  const end = found(/(?:at|offset) ([0-9A-F]+\/[0-9A-F]+)(?:: [^:]*)?\s*$/, dumped)
  const [high = '', low = ''] = end.split('/')
  const position = BigInt(`0x${high}`) * 2n ** 32n + BigInt(`0x${low}`)
  const number = position / BigInt(segmentBytes)
  const perFile = 2n ** 32n / BigInt(segmentBytes)
  const hex = (value: bigint | number): string => value.toString(16).toUpperCase().padStart(8, '0')
  const file = await open(join(data, 'pg_wal', `${hex(timeline)}${hex(number / perFile)}${hex(number % perFile)}`), 'r+')
  const offset = Number(position % BigInt(segmentBytes))
  const garbage = randomBytes(Math.min(3_000, segmentBytes - offset))
  // A record begins with its length; this one's body is not what its checksum says.
  garbage.writeUInt32LE(2_000, 0)
  await file.write(garbage, 0, garbage.length, offset)
  await file.close()
}
