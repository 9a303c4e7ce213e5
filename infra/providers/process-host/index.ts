import { resolve, sep } from 'node:path'
import { CommandFailed, type Host } from '../../host.ts'
import { runIn } from './run.ts'
import { volumeOf, type Site } from './site.ts'
import { isRunning, logOf, reloadUnit, startUnit, stopUnit } from './units.ts'

/**
 * Runs as the machine's user, so that a link which a database's user has planted leads the control plane nowhere that
 * this user could not go by himself. $1 is the path, $2 its folder, $3 the mode in octal.
 */
const WRITE = `
umask 077
[ -d "$2" ] || mkdir -p -- "$2" || exit 1
beside=$(mktemp -- "$1.XXXXXXXX") || exit 1
trap 'rm -f -- "$beside"' EXIT
cat > "$beside" && chmod -- "$3" "$beside" && sync -- "$beside" && mv -T -- "$beside" "$1" && sync -- "$2"
`

const NO_FILE = 66
const READ = `[ -e "$1" ] || exit ${NO_FILE}; exec cat -- "$1"`

/**
 * A machine made of processes of this one. What it keeps: `volume/`, the data; `units/`, one definition, process record
 * and log per unit.
 *
 * @param site where its programs run; the folder must exist
 */
export const processHost = (site: Site): Host => {
  const dataDir = volumeOf(site.folder)

  const inside = (path: string): string => {
    const full = resolve(path)
    if (!full.startsWith(dataDir + sep)) throw new Error('a path of a machine must lie under its data folder')
    return full
  }

  return {
    address: site.address,
    dataDir,
    run: (argv, options) => runIn(site, argv, options),

    async write(path, content, mode) {
      const full = inside(path)
      const folder = full.slice(0, full.lastIndexOf(sep))
      await runIn(site, ['sh', '-c', WRITE, 'write', full, folder, mode.toString(8)], { stdin: content })
    },

    async read(path) {
      try {
        return await runIn(site, ['sh', '-c', READ, 'read', inside(path)])
      } catch (error) {
        if (error instanceof CommandFailed && error.exitCode === NO_FILE) return undefined
        throw error
      }
    },

    start: (unit) => startUnit(site, unit),
    stop: (unit) => stopUnit(site, unit),
    reload: (unit) => reloadUnit(site, unit),
    running: (unit) => isRunning(site, unit),
    log: (unit, lines) => logOf(site, unit, lines),
  }
}
