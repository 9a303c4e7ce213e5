import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { chmod, chown, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { dirname, join, resolve } from 'node:path'
import { z } from 'zod'
import { createKeyPem } from '../certificates/authority.ts'
import type { User } from './child.ts'
import { execute } from './execute.ts'

/** The one folder that an instance keeps everything in. */
export type State = {
  readonly dir: string
  readonly logsDir: string
  readonly runDir: string
  readonly machinesDir: string
  /** Whom servers and machines run as; undefined: as ourselves, being no root. */
  readonly user: User | undefined
  /** A port that was free when it was first asked for, and stays the same from then on. */
  readonly port: (name: string) => number
  /** The file of a secret (mode 0600). */
  readonly secretFile: (name: SecretName) => string
  readonly secret: (name: SecretName) => string
  /** The file of a certificate, which anyone may have. */
  readonly certificateFile: (name: CertificateName) => string
  /** A folder of its own for a server, which only that server's user may enter. Made when needed. */
  readonly dataFolder: (name: string) => Promise<string>
}

const base64 = (): string => randomBytes(32).toString('base64')
const password = (): string => randomBytes(18).toString('base64url')
const ed25519 = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString().trimEnd()

const SECRETS = {
  'master-key': base64,
  'audit-key': ed25519,
  'dns-tsig-key': base64,
  'admin-password': password,
  'admin-basic-password': password,
  'postgres-superuser': password,
  'postgres-ccx': password,
  'postgres-eventstore': password,
  'event-store-admin': password,
  'event-store-ccx': password,
  'event-store-ca-key': createKeyPem,
  'event-store-key': createKeyPem,
  'mariadb-root': password,
  'mariadb-cmon': password,
  nats: password,
} as const

export type SecretName = keyof typeof SECRETS
export type CertificateName = 'event-store-ca' | 'event-store'

const Ports = z.record(z.string(), z.number().int().min(1).max(65535))

export type StateOptions = {
  /** Absolute. */
  readonly dir: string
  /** Names of the ports that the instance needs. */
  readonly ports: readonly string[]
  /** Ports that were asked for by number. */
  readonly fixedPorts?: Readonly<Record<string, number>>
  /** Where to begin looking, for ports that people type; the others get theirs from a range of the instance's own. */
  readonly wantedPorts?: Readonly<Record<string, number>>
  readonly user: User | undefined
}

/**
 * Opens the state folder; makes it, its secrets and its choice of ports at the first time. One process at a time.
 *
 * @throws when the folder belongs to another user, or cannot be reached by `user`
 */
export const openState = async (options: StateOptions): Promise<State> => {
  const { dir, user } = options
  const owner = await stat(join(dir, 'secrets')).then((found) => found.uid, () => undefined)
  if (owner !== undefined && owner !== process.getuid?.()) {
    throw new Error(`${dir} belongs to the user number ${owner}; work as that user, or with another folder (--state)`)
  }
  await makeStateDir(dir)
  // Those who run the servers pass through; they cannot list it, and each has only its own folder open.
  await folder(dir, user === undefined ? 0o700 : 0o711)
  for (const name of ['secrets', 'certificates', 'logs', 'run']) await folder(join(dir, name), 0o700)
  for (const name of ['data', 'machines']) await folder(join(dir, name), user === undefined ? 0o700 : 0o711)
  if (user !== undefined && !(await isReachable(dir, user))) {
    const who = `the user number ${user.uid}, whom the servers run as`
    throw new Error(`${dir} cannot be reached by ${who}; choose another folder (--state)`)
  }
  for (const [name, make] of Object.entries(SECRETS)) await makeOnce(join(dir, 'secrets', name), make)
  const ports = await choosePorts(options)
  const secretFile = (name: SecretName): string => join(dir, 'secrets', name)
  return {
    dir,
    logsDir: join(dir, 'logs'),
    runDir: join(dir, 'run'),
    machinesDir: join(dir, 'machines'),
    user,
    port: (name) => {
      const port = ports[name]
      if (port === undefined) throw new Error(`BUG: no port was chosen for ${name}`)
      return port
    },
    secretFile,
    secret: (name) => readFileSync(secretFile(name), 'utf8').trimEnd(),
    certificateFile: (name) => join(dir, 'certificates', `${name}.pem`),
    dataFolder: async (name) => {
      const path = join(dir, 'data', name)
      await folder(path, 0o700)
      if (user !== undefined) await chown(path, user.uid, user.gid)
      return path
    },
  }
}

/**
 * Makes the state folder itself, private at first, and the folders above it, which others may pass through as is usual.
 *
 * @param dir absolute
 */
export const makeStateDir = async (dir: string): Promise<void> => {
  const above = dirname(dir)
  const first = await mkdir(above, { recursive: true })
  for (let made = above; first !== undefined && made.startsWith(first); made = dirname(made)) await chmod(made, 0o755)
  await mkdir(dir, { mode: 0o700 }).catch((cause: unknown) => {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause
  })
}

const folder = async (path: string, mode: number): Promise<void> => {
  await mkdir(path, { recursive: true })
  // Not left to mkdir, whose mode the umask cuts.
  await chmod(path, mode)
}

const makeOnce = async (path: string, make: () => string | Promise<string>): Promise<void> => {
  if (await readFile(path, 'utf8').then((text) => text !== '', () => false)) return
  await writeWhole(path, `${(await make()).trimEnd()}\n`)
}

const writeWhole = async (path: string, text: string): Promise<void> => {
  await writeFile(`${path}.new`, text, { mode: 0o600 })
  await rename(`${path}.new`, path)
}

const choosePorts = async (options: StateOptions): Promise<Readonly<Record<string, number>>> => {
  const { dir, ports, fixedPorts = {}, wantedPorts = {} } = options
  const path = join(dir, 'ports.json')
  const text = await readFile(path, 'utf8').catch(() => '{}')
  const before = Ports.parse(JSON.parse(text))
  for (const [name, port] of Object.entries(fixedPorts)) {
    // A port that was ours may still be held by what a killed supervisor has left behind.
    if (before[name] !== port && !(await isFree(port))) throw new Error(`port ${port} is in use; choose another`)
  }
  const chosen: Record<string, number> = { ...before, ...fixedPorts }
  // Below the range from which systems draw outgoing ports, and different for each instance, lest they meet.
  let next = 20_000 + (createHash('sha256').update(dir).digest().readUInt16BE(0) % 530) * 24
  for (const name of ports) {
    if (chosen[name] !== undefined) continue
    const taken = new Set(Object.values(chosen))
    let candidate = wantedPorts[name] ?? next
    while (taken.has(candidate) || !(await isFree(candidate))) candidate += 1
    chosen[name] = candidate
    if (wantedPorts[name] === undefined) next = candidate + 1
  }
  const changed = JSON.stringify(chosen, null, 2)
  if (changed !== text.trimEnd()) await writeWhole(path, `${changed}\n`)
  return chosen
}

/** Whether nobody on this machine listens there, over TCP or UDP. */
const isFree = async (port: number): Promise<boolean> => {
  if (port > 65_535) throw new Error('no port is free')
  const tcp = createServer()
  const udp = createSocket('udp4')
  try {
    tcp.listen(port, '127.0.0.1')
    await once(tcp, 'listening')
    udp.bind(port, '127.0.0.1')
    await once(udp, 'listening')
    return true
  } catch {
    return false
  } finally {
    tcp.close()
    udp.close()
  }
}

/** Whether the user may enter the folder. */
export const isReachable = (path: string, user: User): Promise<boolean> =>
  execute(['/bin/sh', '-c', 'cd -- "$1"', 'sh', path], { env: {}, cwd: '/', ...user }).then(() => true, () => false)

/**
 * Whom servers and machines run as when we are root: they refuse to be root, and should be nobody in particular.
 *
 * @returns undefined when we are no root ourselves
 * @throws when the machine has none of the users that will do
 */
export const unprivilegedUser = async (): Promise<User | undefined> => {
  if (process.getuid?.() !== 0) return undefined
  const lines = (await readFile('/etc/passwd', 'utf8')).split('\n').map((line) => line.split(':'))
  for (const name of ['ccx', 'postgres', 'nobody']) {
    const [, , uid, gid] = lines.find(([login]) => login === name) ?? []
    if (Number(uid) > 0 && Number(gid) > 0) return { uid: Number(uid), gid: Number(gid) }
  }
  throw new Error('there is no user to run database servers as: make one named ccx')
}

/**
 * The folder that a repository's instance uses when none is named: `.ccx` within it, or one under /var/lib when the
 * servers' user cannot get there (a repository in root's home).
 */
export const defaultStateDir = async (
  repository: string,
  user: User | undefined,
): Promise<{ readonly dir: string; readonly because?: string }> => {
  const root = resolve(repository)
  if (user === undefined || (await isReachable(root, user))) return { dir: join(root, '.ccx') }
  const hash = createHash('sha256').update(root).digest('hex').slice(0, 12)
  return {
    dir: join('/var/lib/ccx', hash),
    because: `the state is kept in /var/lib/ccx/${hash}, because the servers' user cannot enter ${root}`,
  }
}

/** The folder of privately unpacked programs, open to all who run them; shared by the instances of one repository. */
export const programsDir = async (stateDir: string): Promise<string> => {
  await makeStateDir(stateDir)
  await mkdir(join(stateDir, 'programs'), { recursive: true })
  const { mode, uid } = await stat(stateDir)
  if (uid === process.getuid?.()) await chmod(stateDir, mode | (uid === 0 ? 0o111 : 0))
  await chmod(join(stateDir, 'programs'), 0o755)
  return join(stateDir, 'programs')
}
