import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { mkdir, open, readFile, rename, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { Readable } from 'node:stream'
import { CommandFailed, type Unit } from '../../host.ts'
import { fenceFile, onFile } from './kept.ts'
import type { Process } from './processes.ts'
import { findProgram } from './programs.ts'
import { failedWith } from './records.ts'
import { entrance, environment, unitsOf, volumeOf, type Site } from './site.ts'

const LOG_BYTES_MAX = 16 * 1024 * 1024

/**
 * The daemon records itself, under a lock, before it becomes the unit's program: so two starters cannot both start it,
 * and none can die between the start and the record. And it looks itself whether the machine is still on, when it can be
 * seen to be of the machine already: whoever powers that off leaves the mark first and then kills what he sees, so that
 * one of the two ends it, however long its starter stands still. It tells on descriptor 3 what it did. $1 is the record's
 * path, $2 what says that the machine is on, $3 what it must say, $4 the mark of a fence.
 */
const LAUNCH = `
record=$1 on=$2 since=$3 fenced=$4; shift 4
path=$PATH; PATH=/usr/sbin:/usr/bin:/sbin:/bin
started() {
  stat=$(cat "/proc/$1/stat" 2>&-) || return 1
  set -- \${stat##*) }; [ "$1" != Z ] || return 1
  shift 19; echo "$1"
}
read -r boot < /proc/sys/kernel/random/boot_id
exec 9>"$record.lock"; flock 9
if [ -s "$record" ] && read -r pid ticks when < "$record"; then
  if [ "$when" = "$boot" ] && [ "$(started "$pid")" = "$ticks" ]; then echo running >&3; exit 0; fi
fi
echo "$$ $(started $$) $boot" > "$record.new" && mv "$record.new" "$record" || exit 1
exec 9>&-
if [ -e "$fenced" ] || [ "$(cat "$on" 2>&-)" != "$since" ]; then echo off >&3; exit 0; fi
echo started >&3; exec 3>&-
PATH=$path
exec "$@"
`

const pidFile = (site: Pick<Site, 'folder'>, name: string): string => join(unitsOf(site.folder), `${name}.pid`)
export const logFile = (site: Pick<Site, 'folder'>, name: string): string => join(unitsOf(site.folder), `${name}.log`)

const bootId = async (): Promise<string> => (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim()

/** The process that was last started as this unit, unless the machine underneath was rebooted since. */
export const lastProcess = async (site: Pick<Site, 'folder'>, name: string): Promise<Process | undefined> => {
  let line: string
  try {
    line = await readFile(pidFile(site, name), 'utf8')
  } catch (cause) {
    if (failedWith(cause, 'ENOENT')) return undefined
    throw new Error(`could not read the process of the unit ${name}`, { cause })
  }
  const [pid, startTicks, boot] = line.trim().split(' ')
  if (pid === undefined || startTicks === undefined || boot !== (await bootId())) return undefined
  return { pid: Number(pid), startTicks }
}

const openLog = async (path: string): ReturnType<typeof open> => {
  const size = await stat(path).then(({ size: bytes }) => bytes, () => 0)
  if (size > LOG_BYTES_MAX) await rename(path, `${path}.1`)
  return open(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o600)
}

/**
 * Starts the unit's program as a daemon that outlives the control plane, unless it runs already.
 *
 * @throws when the machine is off, or has been since `site.since`
 * @throws CommandFailed when there is no such program (127) or it could not be started
 */
export const launch = async (site: Site, unit: Unit): Promise<void> => {
  const [program] = unit.argv
  if (findProgram(program, site.binDirs) === undefined) throw new CommandFailed(program, 127, 'no such program')
  await mkdir(unitsOf(site.folder), { recursive: true, mode: 0o700 })
  const { folder, since = '' } = site
  const marks = [pidFile(site, unit.name), onFile(folder), since, fenceFile(folder)]
  const log = await openLog(logFile(site, unit.name))
  try {
    const child = spawn(
      '/bin/sh',
      ['-c', LAUNCH, 'unit', ...marks, ...entrance(site, { bound: false }), ...unit.argv],
      {
        cwd: volumeOf(site.folder),
        env: environment(site, unit.env),
        detached: true,
        stdio: ['ignore', log.fd, log.fd, 'pipe'],
      },
    )
    const ended = once(child, 'exit')
    ended.catch(() => undefined)
    const report = child.stdio[3]
    if (!(report instanceof Readable)) throw new Error('BUG: descriptor 3 is a pipe')
    const word = (await Promise.race([text(report), ended.then(() => text(report))])).trim()
    child.unref()
    if (word === 'off') throw new Error('the machine was powered off')
    if (word !== 'started' && word !== 'running') throw new CommandFailed(program, null, 'it could not be recorded')
  } finally {
    await log.close()
  }
}
