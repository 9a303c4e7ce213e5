import { createHash } from 'node:crypto'
import { join } from 'node:path'
import type { Child } from '../../embedded/child.ts'
import { ensureEventStoreCertificate } from '../../embedded/event-store-certificate.ts'
import { mariadb, mariadbUrl } from '../../embedded/mariadb.ts'
import { nats, natsUrl } from '../../embedded/nats.ts'
import { postgres, postgresUrl } from '../../embedded/postgres.ts'
import type { Programs } from '../../embedded/programs.ts'
import type { State } from '../../embedded/state.ts'
import type { Stage } from '../../embedded/supervisor.ts'
import { repository } from './place.ts'

/** Services that `up --separate` runs one by one. */
const SERVICES = [
  'ccx-projector', 'ccx-auth-service', 'ccx-deployer', 'cmon-master', 'ccx-runner-service', 'ccx-rest', 'ccx-notifier',
] as const
const ALL_IN_ONE = 'all-in-one'
/** These may have to make read models anew before they are ready, at some 20,000 events a second. */
const MAKES_READ_MODELS: ReadonlySet<string> = new Set(['ccx-projector', ALL_IN_ONE])
const EMBEDDED = ['event-store', 'dns', 'ingress'] as const
/** What runs on an HTTP port of its own behind the ingress, and the paths that go there. */
const BEHIND_INGRESS: Readonly<Record<string, readonly string[]>> = {
  'ccx-auth-service': ['/api/auth/', '/api/v2/auth/', '/api/v1/sessions'],
  'ccx-rest': ['/'],
}

/** All that `./ccx run` can run. */
export const RUNNABLE: readonly string[] = [...SERVICES, ALL_IN_ONE, ...EMBEDDED]

const healthPort = (service: string): string => `${service} health`
const httpPort = (service: string): string => (Object.hasOwn(BEHIND_INGRESS, service) ? `${service} http` : 'http')

/** The names of all ports that an instance may need. */
export const PORTS: readonly string[] = [
  'http', 'postgres', 'nats', 'mariadb', 'event-store', 'dns', ...RUNNABLE.map(healthPort),
  ...Object.keys(BEHIND_INGRESS).map(httpPort),
]

export type Instance = {
  readonly apiUrl: string
  /** The environment of a service: what it needs to find the others. Holds passwords. */
  readonly environmentOf: (service: string) => Readonly<Record<string, string>>
  /** Makes the files that services need beside their environment. To be called before the first of them is started. */
  readonly prepare: () => Promise<void>
  /** How a service is run. */
  readonly argvOf: (service: string) => readonly [string, ...string[]]
  /** What must run, in the order of starting. */
  readonly stages: (mode: {
    /** Each service as a process of its own. */
    readonly separate: boolean
    /** Called between the end of the services and that of the stores. */
    readonly afterServices: () => Promise<void>
  }) => Promise<readonly Stage[]>
}

export type InstanceOptions = {
  readonly state: State
  readonly programs: Pick<Programs, 'bin' | 'rootOf' | 'binDirs'>
  /** The user's own settings; they replace ours, and a store named here is not started. */
  readonly given: Readonly<Record<string, string>>
  /** PATH, HOME and the like. */
  readonly inherited: Readonly<Record<string, string>>
}

/** An instance of the control plane: what it is made of, and how the parts find each other. */
export const instance = ({ state, programs, given, inherited }: InstanceOptions): Instance => {
  const apiUrl = given['PUBLIC_URL'] ?? `http://127.0.0.1:${state.port('http')}`
  const settings = settingsOf(state, programs.binDirs)

  const environmentOf = (service: string): Readonly<Record<string, string>> => ({
    ...inherited,
    ...settings,
    ...given,
    // Settings for one process; each service has its own here.
    HTTP_PORT: String(state.port(httpPort(service))),
    ...(Object.hasOwn(BEHIND_INGRESS, service) ? { BEHIND_PROXY: 'true' } : {}),
    HEALTH_PORT: String(state.port(healthPort(service))),
  })

  const argvOf = (service: string): readonly [string, ...string[]] => [
    // gRPC names the host in every TLS handshake, addresses too, which Node warns about.
    process.execPath, '--enable-source-maps', '--disable-warning=DEP0123', join(repository, 'infra/main', `${service}.ts`),
  ]

  const service = (name: string, ...ports: readonly string[]): Child => ({
    name,
    ports: [...ports, healthPort(name)].map(state.port),
    argv: argvOf(name),
    env: environmentOf(name),
    cwd: repository,
    stopSignal: 'SIGTERM',
    stopTimeoutMs: 15_000,
    readyWithinMs: MAKES_READ_MODELS.has(name) ? 1_800_000 : 90_000,
    ready: () => answersReady(state.port(healthPort(name))),
  })

  const prepare = async (): Promise<void> => {
    if (given['EVENTSTORE_URL'] === undefined) await ensureEventStoreCertificate(state, hostsOf(given))
  }

  const stages: Instance['stages'] = async ({ separate, afterServices }) => {
    await prepare()
    const stores = await storesOf({ state, programs, given, inherited })
    const embedded = [
      ...(given['EVENTSTORE_URL'] === undefined ? [service('event-store', 'event-store')] : []),
      ...(given['DNS_SERVER'] === undefined ? [service('dns', 'dns')] : []),
    ]
    const services = separate
      ? [
          ...SERVICES.map((name) => service(name, ...(Object.hasOwn(BEHIND_INGRESS, name) ? [httpPort(name)] : []))),
          service('ingress', 'http'),
        ]
      : [service(ALL_IN_ONE, 'http')]
    return [{ children: stores }, { children: embedded }, { children: services, afterStop: afterServices }]
  }

  return { apiUrl, environmentOf, prepare, argvOf, stages }
}

/** By what name or address clients from outside know the embedded event store. */
const hostsOf = ({ EVENTSTORE_PUBLIC_URL: url }: Readonly<Record<string, string>>): readonly string[] =>
  url === undefined ? [] : [new URL(url).hostname]

/** Each named by what identifies the instance on this machine, so that two instances side by side do not meet. */
const instanceName = (dir: string): string => `ccx-${createHash('sha256').update(dir).digest('hex').slice(0, 8)}`

const settingsOf = (state: State, binDirs: readonly string[]): Readonly<Record<string, string>> => ({
  CCX_INSTANCE: instanceName(state.dir),
  EVENTSTORE_URL: eventStoreUrl(state),
  EVENTSTORE_CERTIFICATE_FILE: state.certificateFile('event-store'),
  EVENTSTORE_KEY_FILE: state.secretFile('event-store-key'),
  EVENTSTORE_ADMIN_PASSWORD_FILE: state.secretFile('event-store-admin'),
  EVENTSTORE_DB_URL: postgresUrl(state.port('postgres'), 'eventstore', state.secret('postgres-eventstore')),
  NATS_URL: natsUrl(state.port('nats'), state.secret('nats')),
  CCX_DB_URL: postgresUrl(state.port('postgres'), 'ccx', state.secret('postgres-ccx')),
  CMON_DB_URL: mariadbUrl(state.port('mariadb'), 'cmon', state.secret('mariadb-cmon')),
  INGRESS_ROUTES: Object.entries(BEHIND_INGRESS)
    .flatMap(([name, prefixes]) => prefixes.map((prefix) => `${prefix}=${state.port(httpPort(name))}`))
    .join(','),
  MASTER_KEY_FILE: state.secretFile('master-key'),
  AUDIT_KEY_FILE: state.secretFile('audit-key'),
  PUBLIC_URL: `http://127.0.0.1:${state.port('http')}`,
  DNS_SERVER: `127.0.0.1:${state.port('dns')}`,
  DNS_TSIG_SECRET_FILE: state.secretFile('dns-tsig-key'),
  DNS_ZONE_FILE: join(state.dir, 'data', 'dns-zone.json'),
  MAIL_DIR: join(state.dir, 'mail'),
  MACHINES_DIR: state.machinesDir,
  PROGRAM_DIRS: binDirs.join(':'),
  ADMIN_PASSWORD_FILE: state.secretFile('admin-password'),
  ADMIN_BASIC_PASSWORD_FILE: state.secretFile('admin-basic-password'),
  ...(state.user === undefined ? {} : { RUN_AS: `${state.user.uid}:${state.user.gid}` }),
})

const eventStoreUrl = (state: State): string => {
  const authority = encodeURIComponent(state.certificateFile('event-store-ca'))
  const user = `ccx:${state.secret('event-store-ccx')}`
  return `esdb://${user}@127.0.0.1:${state.port('event-store')}?tls=true&tlsCaFile=${authority}`
}

const storesOf = async ({ state, programs, given, inherited }: InstanceOptions): Promise<readonly Child[]> => {
  const common = { bin: programs.bin, user: state.user, env: inherited }
  const absent = (...names: readonly string[]): boolean => names.some((name) => given[name] === undefined)
  return [
    ...(absent('CCX_DB_URL', 'EVENTSTORE_URL')
      ? [
          postgres({
            ...common,
            folder: await state.dataFolder('postgres'),
            port: state.port('postgres'),
            superuserPassword: state.secret('postgres-superuser'),
            databases: { ccx: state.secret('postgres-ccx'), eventstore: state.secret('postgres-eventstore') },
          }),
        ]
      : []),
    ...(absent('NATS_URL')
      ? [
          nats({
            ...common,
            folder: await state.dataFolder('nats'),
            port: state.port('nats'),
            password: state.secret('nats'),
          }),
        ]
      : []),
    ...(absent('CMON_DB_URL')
      ? [
          mariadb({
            ...common,
            root: programs.rootOf('mariadbd'),
            folder: await state.dataFolder('mariadb'),
            port: state.port('mariadb'),
            rootPassword: state.secret('mariadb-root'),
            database: 'cmon',
            password: state.secret('mariadb-cmon'),
          }),
        ]
      : []),
  ]
}

const answersReady = async (port: number): Promise<boolean> => {
  const response = await fetch(`http://127.0.0.1:${port}/readyz`, { signal: AbortSignal.timeout(5_000) })
  await response.body?.cancel()
  return response.status === 200
}
