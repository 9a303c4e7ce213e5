import { randomBytes } from 'node:crypto'
import { resolve, sep } from 'node:path'
import { CommandFailed, type Host } from '../../host.ts'
import { runIn } from './run.ts'
import { isStillOn, poweredSince } from './power-state.ts'
import { volumeOf, type Site } from './site.ts'
import { diskUsageOf } from './disk-usage.ts'
import { isRunning, logOf, reloadUnit, startUnit, stopUnit } from './units.ts'
import { whileReachable } from './while-reachable.ts'

/**
 * Runs as the machine's user, so that a link which a database's user has planted leads the control plane nowhere that
 * this user could not go by himself. $1 is the path, $2 its folder, $3 a new name beside it, $4 the umask that gives the
 * mode, $5 the mode where a umask cannot give it (a program's), else empty. Every process it starts is waited for, many
 * times in the setting up of a machine, so they are few.
 */
const WRITE = `
umask 077
[ -d "$2" ] || mkdir -p -- "$2" || exit 1
umask "$4"
dd of="$3" conv=excl,fsync bs=64k status=none &&
  { [ -z "$5" ] || { chmod -- "$5" "$3" && sync -- "$3"; }; } &&
  mv -T -- "$3" "$1" && sync -- "$2" && exit 0
rm -f -- "$3"
exit 1
`

/** The bits of a mode that a new file of dd can have: to run is none of them. */
const PLAIN_MODE = 0o666

const octal = (mode: number): string => mode.toString(8).padStart(4, '0')

const NO_FILE = 66
const READ = `[ -e "$1" ] || exit ${NO_FILE}; exec cat -- "$1"`

/**
 * A machine made of processes of this one. What it keeps: `volume/`, the data; `units/`, one definition, process record
 * and log per unit.
 *
 * @param machine where its programs run; the folder must exist
 * @param isConnected whether its link is whole: programs that are begun from here would not notice. Must be cheap
 */
export const processHost = (machine: Site, isConnected: () => boolean): Host => {
  const dataDir = volumeOf(machine.folder)

  const reach = <T>(act: (site: Site, broken: AbortSignal) => Promise<T>): Promise<T> => {
    const site = { ...machine, since: poweredSince(machine.folder) }
    return whileReachable(() => isStillOn(site) && isConnected(), (broken) => act(site, broken))
  }

  const inside = (path: string): string => {
    const full = resolve(path)
    if (!full.startsWith(dataDir + sep)) throw new Error('a path of a machine must lie under its data folder')
    return full
  }

  const run: Host['run'] = (argv, options = {}) =>
    reach((site, broken) => {
      const { signal } = options
      return runIn(site, argv, { ...options, signal: signal === undefined ? broken : AbortSignal.any([signal, broken]) })
    })

  return {
    address: machine.address,
    dataDir,
    run,

    async write(path, content, mode) {
      const full = inside(path)
      const folder = full.slice(0, full.lastIndexOf(sep))
      const beside = `${full}.${randomBytes(8).toString('hex')}`
      const special = (mode & ~PLAIN_MODE) === 0 ? '' : octal(mode)
      const argv = ['sh', '-c', WRITE, 'write', full, folder, beside, octal(0o777 & ~mode), special] as const
      await run(argv, { stdin: content })
    },

    async read(path) {
      try {
        return await run(['sh', '-c', READ, 'read', inside(path)])
      } catch (error) {
        if (error instanceof CommandFailed && error.exitCode === NO_FILE) return undefined
        throw error
      }
    },

    diskUsage: () => reach((site) => diskUsageOf(site.folder)),

    start: (unit) => reach((site) => startUnit(site, unit)),
    stop: (unit) => reach((site) => stopUnit(site, unit)),
    reload: (unit) => reach((site) => reloadUnit(site, unit)),
    running: (unit) => reach((site) => isRunning(site, unit)),
    log: (unit, lines) => reach((site) => logOf(site, unit, lines)),
  }
}
