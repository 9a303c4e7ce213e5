import { join } from 'node:path'
import { MACHINE_MARK } from './processes.ts'
import { searchPath, systemProgram } from './programs.ts'

/** An unprivileged user of this machine. */
export type User = { readonly uid: number; readonly gid: number }

/** Where the programs of a machine run and what they find there. */
export type Site = {
  /** The machine's folder: an absolute path. */
  readonly folder: string
  readonly address: string
  /** Which time the machine was on when what is going on was begun; undefined when it was off. See `poweredSince`. */
  readonly since: string | undefined
  /** What a program is started through, to end up inside the machine. Empty: it is this machine itself. */
  readonly enter: readonly string[]
  /** Whom programs run as; undefined: whoever runs the control plane. */
  readonly user: User | undefined
  readonly binDirs: readonly string[]
  readonly libraryPaths: readonly string[]
}

export const volumeOf = (folder: string): string => join(folder, 'volume')
export const unitsOf = (folder: string): string => join(folder, 'units')

const WITHOUT_CAPABILITIES = ['--inh-caps=-all', '--bounding-set=-all']

/** Whether this process may become another user. */
export const isRoot = (): boolean => process.getuid?.() === 0

type Through = Pick<Site, 'enter' | 'user' | 'libraryPaths'>

/**
 * The argv prefix through which a program enters the machine and gives up every privilege.
 *
 * @param bound whether the program dies with the control plane
 */
export const entrance = (site: Through, { bound }: { readonly bound: boolean }): readonly string[] => [
  ...site.enter,
  systemProgram('setpriv'),
  '--no-new-privs',
  ...(bound ? ['--pdeathsig=KILL'] : []),
  ...(site.user === undefined || !isRoot()
    ? []
    : [`--reuid=${site.user.uid}`, `--regid=${site.user.gid}`, '--clear-groups', ...WITHOUT_CAPABILITIES]),
  '--',
  // Only the program itself may see the private libraries: they need not fit the system's own programs before it.
  ...(site.libraryPaths.length === 0
    ? []
    : [systemProgram('env'), `LD_LIBRARY_PATH=${site.libraryPaths.join(':')}`]),
]

/** The whole environment of a program of the machine: nothing of the control plane's own is let through. */
export const environment = (site: Site, extra: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  LC_ALL: 'C.UTF-8',
  PATH: searchPath(site.binDirs),
  HOME: volumeOf(site.folder),
  ...extra,
  [MACHINE_MARK]: site.folder,
})
