import { chmod, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { aptSources, sourcesForSuite } from './apt-sources.ts'
import { execute } from './execute.ts'
import { writeLaunchers } from './launchers.ts'
import { isAlive, ownIdentity, parseIdentity, type ProcessIdentity } from './process-identity.ts'

/** Packages of one Debian suite that together make a program run. */
export type PackageSet = { readonly suite: string; readonly packages: readonly string[] }

export type UnpackOptions = {
  /** Environment of apt-get and dpkg-deb: a PATH at least. */
  readonly env: Readonly<Record<string, string>>
  readonly etcApt?: string
}

/**
 * The C and C++ run-time libraries are always the machine's own: apt itself needs them, and a second libc beside
 * the machine's loader crashes. Everything that is no library (debconf, perl, adduser) serves installation only.
 */
const isLibrary = (name: string): boolean =>
  name.startsWith('lib') && !/^lib(c6|gcc-s1|stdc\+\+6|c-bin|c-l10n|pam-.*)$/.test(name) && !name.endsWith('-perl')

/** Written into a finished folder and into one in the making, to tell whose it is. */
const MAKER_FILE = '.maker'

/**
 * Unpacks Debian packages with the libraries they need into a folder of our own: no root, nothing installed.
 * apt checks the archive's signature and every package's hash. May be called by several processes at once.
 *
 * @param target the folder to make; there already: nothing is done
 * @param sets tried in order, until one can be had
 * @throws when no set can be had, with the last reason as cause
 */
export const unpackPackages = async (
  target: string,
  sets: readonly PackageSet[],
  options: UnpackOptions,
): Promise<void> => {
  if (await exists(target)) return
  await removeAbandoned(dirname(target))
  await mkdir(dirname(target), { recursive: true, mode: 0o755 })
  const work = await mkdtemp(join(dirname(target), '.new-'))
  try {
    await writeFile(join(work, MAKER_FILE), JSON.stringify(ownIdentity()))
    const root = await firstOf(sets, (set) => fetchAndUnpack(work, set, options))
    await rename(root, target).catch(async (cause: unknown) => {
      // Another process was faster; what it made is as good.
      if (!(await exists(target))) throw new Error(`${target} cannot be put in place`, { cause })
    })
  } finally {
    await rm(work, { recursive: true, force: true })
  }
}

const firstOf = async <T, R>(items: readonly T[], attempt: (item: T) => Promise<R>): Promise<R> => {
  let cause: unknown
  for (const item of items) {
    try {
      return await attempt(item)
    } catch (error) {
      cause = error
    }
  }
  throw new Error('the machine\'s package sources do not have it', { cause })
}

const fetchAndUnpack = async (work: string, set: PackageSet, { env, etcApt }: UnpackOptions): Promise<string> => {
  const folder = join(work, set.suite)
  const apt = await privateApt(folder, set.suite, { env, ...(etcApt === undefined ? {} : { etcApt }) })
  await apt('update', '-qq')
  const plan = await apt('install', '-s', '-qq', ...set.packages)
  const names = [...plan.matchAll(/^Inst (\S+)/gm)].flatMap(([, name]) => (name === undefined ? [] : [name]))
  const wanted = names.filter((name) => isLibrary(name) || set.packages.includes(name))
  await apt('download', '-qq', ...wanted)
  const root = join(folder, 'root')
  await mkdir(root, { mode: 0o755 })
  const files = (await readdir(join(folder, 'packages'))).filter((name) => name.endsWith('.deb'))
  for (const file of files) await execute(['dpkg-deb', '-x', join(folder, 'packages', file), root], { env })
  await writeLaunchers(root)
  // dpkg-deb gives the target the mode of the package's root; the umask of whoever runs us must not hide it.
  await chmod(root, 0o755)
  await writeFile(join(root, MAKER_FILE), `${JSON.stringify({ ...set, unpacked: wanted.length })}\n`)
  return root
}

/** An apt-get that keeps its lists, its cache and its idea of what is installed (nothing) in `folder`. */
const privateApt = async (folder: string, suite: string, { env, etcApt }: UnpackOptions) => {
  const sources = sourcesForSuite(await aptSources(etcApt), suite, await ownCodename())
  if (sources === '') throw new Error(`no configured package source can serve Debian ${suite}`)
  for (const name of ['lists/partial', 'cache/archives/partial', 'sources', 'packages']) {
    await mkdir(join(folder, name), { recursive: true })
  }
  await writeFile(join(folder, 'status'), '')
  await writeFile(join(folder, 'sources', 'debian.sources'), sources)
  await writeFile(
    join(folder, 'apt.conf'),
    [
      `Dir::State "${folder}";`,
      `Dir::State::lists "${folder}/lists";`,
      `Dir::State::status "${folder}/status";`,
      `Dir::Cache "${folder}/cache";`,
      'Dir::Etc::sourcelist "/dev/null";',
      `Dir::Etc::sourceparts "${folder}/sources";`,
      'Dir::Etc::preferences "/dev/null";',
      'Dir::Etc::preferencesparts "/dev/null";',
      'Acquire::Languages "none";',
      'Acquire::Retries "2";',
      'APT::Sandbox::User "";',
      'APT::Install-Recommends "false";',
      'APT::Update::Post-Invoke-Success "";',
      'Debug::NoLocking "true";',
      '',
    ].join('\n'),
  )
  const aptEnv = { ...env, APT_CONFIG: join(folder, 'apt.conf'), LC_ALL: 'C' }
  return (...args: readonly string[]): Promise<string> =>
    execute(['apt-get', ...args], { env: aptEnv, cwd: join(folder, 'packages'), timeoutMs: 600_000 })
}

const ownCodename = async (): Promise<string> =>
  /^VERSION_CODENAME="?([^"\n]+)/m.exec(await readFile('/etc/os-release', 'utf8').catch(() => ''))?.[1] ?? ''

/** Removes what a process left behind that was killed while it unpacked. */
const removeAbandoned = async (folder: string): Promise<void> => {
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith('.new-'))
  for (const name of names) {
    const maker = await makerOf(join(folder, name))
    if (maker !== undefined && !isAlive(maker)) await rm(join(folder, name), { recursive: true, force: true })
  }
}

const makerOf = async (folder: string): Promise<ProcessIdentity | undefined> =>
  readFile(join(folder, MAKER_FILE), 'utf8').then(parseIdentity, () => undefined)

const exists = (path: string): Promise<boolean> => readdir(path).then(() => true, () => false)
