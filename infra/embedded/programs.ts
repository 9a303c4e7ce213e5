import { access, constants } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { type PackageSet, unpackPackages } from './debian-packages.ts'
import { execute } from './execute.ts'
import { libraryFolders } from './launchers.ts'

/** Something that programs of others do for us. */
type Need = {
  readonly title: string
  /** Every one of these must be found. */
  readonly programs: readonly string[]
  /** Folders of the system that are searched before the PATH. */
  readonly folders: readonly string[]
  /** All programs must come from one folder: they are one release. */
  readonly together: boolean
  /** The program that is asked for its version, and which answers (major, minor) will do. */
  readonly version: {
    readonly argv: readonly [string, ...string[]]
    readonly suits: (major: number, minor: number) => boolean
  }
  readonly packages: readonly PackageSet[]
  /** What an administrator would install instead. */
  readonly install: string
}

const at = (major: number, minor: number) => (actualMajor: number, actualMinor: number): boolean =>
  actualMajor > major || (actualMajor === major && actualMinor >= minor)

const SYSTEM_FOLDERS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

const NEEDS = {
  postgres: {
    title: 'PostgreSQL 15',
    programs: [
      'postgres', 'initdb', 'pg_ctl', 'pg_basebackup', 'pg_rewind', 'pg_controldata', 'pg_isready', 'pg_dump', 'psql',
    ],
    folders: ['/usr/lib/postgresql/15/bin'],
    together: true,
    // A data folder is readable by one major version only, so exactly this one.
    version: { argv: ['postgres', '--version'], suits: (major) => major === 15 },
    packages: [{ suite: 'bookworm', packages: ['postgresql-15', 'postgresql-client-15'] }],
    install: 'postgresql-15',
  },
  'nats-server': {
    title: 'nats-server',
    programs: ['nats-server'],
    folders: [],
    together: true,
    version: { argv: ['nats-server', '--version'], suits: at(2, 9) },
    packages: [
      { suite: 'trixie', packages: ['nats-server'] },
      { suite: 'bookworm', packages: ['nats-server'] },
    ],
    install: 'nats-server (2.9 or newer)',
  },
  mariadb: {
    title: 'MariaDB',
    programs: ['mariadbd', 'mariadb-install-db'],
    folders: [],
    together: false,
    version: { argv: ['mariadbd', '--no-defaults', '--version'], suits: at(10, 6) },
    packages: [{ suite: 'bookworm', packages: ['mariadb-server-core', 'mariadb-client-core'] }],
    install: 'mariadb-server (10.6 or newer)',
  },
  network: {
    title: 'iproute2',
    programs: ['ip'],
    folders: [],
    together: true,
    version: { argv: ['ip', '-Version'], suits: at(5, 0) },
    packages: [{ suite: 'bookworm', packages: ['iproute2'] }],
    install: 'iproute2',
  },
  'packet-filter': {
    title: 'nftables',
    programs: ['nft'],
    folders: [],
    together: true,
    version: { argv: ['nft', '--version'], suits: at(1, 0) },
    packages: [{ suite: 'bookworm', packages: ['nftables'] }],
    install: 'nftables (1.0 or newer)',
  },
  'dns-server': {
    title: 'Knot DNS',
    programs: ['knotd', 'kdig'],
    folders: [],
    together: false,
    version: { argv: ['knotd', '--version'], suits: at(3, 0) },
    packages: [{ suite: 'bookworm', packages: ['knot', 'knot-dnsutils'] }],
    install: 'knot and knot-dnsutils',
  },
} as const satisfies Readonly<Record<string, Need>>

export type NeedName = keyof typeof NEEDS

export type Programs = {
  /** The absolute path of a program, to be run as it is. Throws when no need brought it. */
  readonly bin: (name: string) => string
  /** Folders to search before the PATH. */
  readonly binDirs: readonly string[]
  /** Libraries of what was unpacked. What is in `binDirs` sets them by itself; only programs run past it need them. */
  readonly libraryDirs: readonly string[]
  /** The folder that stands for `/` to a privately unpacked program; undefined for one of the system's own. */
  readonly rootOf: (name: string) => string | undefined
}

export type ProgramsOptions = {
  /** Where missing programs are unpacked; made when needed. Absolute. */
  readonly dir: string
  /** Environment of the programs asked; its PATH is searched. */
  readonly env: Readonly<Record<string, string>>
  /** Told before something long is done. */
  readonly progress?: (line: string) => void
  /** Leaves the system's own programs alone and unpacks everything. */
  readonly privateOnly?: boolean
  readonly etcApt?: string
}

type Found = {
  readonly paths: ReadonlyMap<string, string>
  readonly libraryDirs: readonly string[]
  /** The private folder; undefined for the system's own. */
  readonly root: string | undefined
}

/**
 * Finds the programs for each need: the system's own if their version will do, else privately unpacked ones.
 * May be called again and by several processes at once.
 *
 * @throws with one line that says what to install, when the machine has no package source for it
 */
export const findPrograms = async (needs: readonly NeedName[], options: ProgramsOptions): Promise<Programs> => {
  const found = await Promise.all(
    needs.map(async (name) => {
      const need: Need = NEEDS[name]
      const system = options.privateOnly === true ? undefined : await inSystem(need, options.env)
      return system ?? (await unpacked(name, need, options))
    }),
  )
  const paths = new Map(found.flatMap((each) => [...each.paths]))
  return {
    bin: (program) => {
      const path = paths.get(program)
      if (path === undefined) throw new Error(`BUG: nobody asked for ${program}`)
      return path
    },
    // The folders of the machine itself come last: they hold other releases of what was unpacked.
    binDirs: [...found]
      .toSorted((a, b) => rank(a) - rank(b))
      .flatMap((each) => [...each.paths.values()].map(dirname))
      .filter((folder, i, all) => all.indexOf(folder) === i),
    libraryDirs: [...new Set(found.flatMap((each) => each.libraryDirs))],
    rootOf: (program) => found.find(({ paths: own }) => own.has(program))?.root,
  }
}

const rank = ({ root, paths }: Found): number => {
  if (root !== undefined) return 0
  return [...paths.values()].some((path) => SYSTEM_FOLDERS.includes(dirname(path))) ? 2 : 1
}

const inSystem = async (need: Need, env: Readonly<Record<string, string>>): Promise<Found | undefined> => {
  const path = (env['PATH'] ?? '').split(delimiter).filter((folder) => folder.startsWith('/'))
  const folders = [...new Set([...need.folders, ...path, ...SYSTEM_FOLDERS])]
  const groups = need.together ? folders.map((folder) => [folder]) : [folders]
  for (const group of groups) {
    const paths = await locate(need.programs, group)
    if (paths !== undefined && (await versionSuits(need, paths, env))) {
      return { paths, libraryDirs: [], root: undefined }
    }
  }
  return undefined
}

const unpacked = async (name: NeedName, need: Need, options: ProgramsOptions): Promise<Found> => {
  const root = join(options.dir, name)
  const { env, etcApt } = options
  const launchers = join(root, 'launchers')
  if ((await locate(need.programs, [launchers])) === undefined) {
    options.progress?.(`getting ${need.title} from the machine's package source`)
    const unpackOptions = { env, ...(etcApt === undefined ? {} : { etcApt }) }
    await unpackPackages(root, need.packages, unpackOptions).catch((cause: unknown) => {
      const advice = `install ${need.install} and try again`
      throw new Error(`${need.title} is missing and cannot be fetched; ${advice}`, { cause })
    })
  }
  const paths = await locate(need.programs, [launchers])
  if (paths === undefined) throw new Error(`${root} is incomplete; remove that folder and try again`)
  const libraries = await libraryFolders(root)
  return { paths, libraryDirs: libraries.map((folder) => join(root, folder)), root }
}

/** The first of `folders` that has it, for each program; undefined when one of them is nowhere. */
const locate = async (
  programs: readonly string[],
  folders: readonly string[],
): Promise<Map<string, string> | undefined> => {
  const paths = new Map<string, string>()
  for (const program of programs) {
    for (const folder of folders) {
      if (!paths.has(program) && (await isExecutable(join(folder, program)))) paths.set(program, join(folder, program))
    }
    if (!paths.has(program)) return undefined
  }
  return paths
}

const isExecutable = (path: string): Promise<boolean> => access(path, constants.X_OK).then(() => true, () => false)

const versionSuits = async (
  { version }: Need,
  paths: ReadonlyMap<string, string>,
  env: Readonly<Record<string, string>>,
): Promise<boolean> => {
  const [program, ...args] = version.argv
  const text = await execute([paths.get(program) ?? program, ...args], { env, timeoutMs: 20_000 }).catch(() => '')
  const [, major, minor] = /(\d+)\.(\d+)/.exec(text) ?? []
  return major !== undefined && minor !== undefined && version.suits(Number(major), Number(minor))
}
