import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { issuersOf, JwksUrl, origins, rate } from './config-forms.ts'

/** The only reader of the environment. Every service reads it once, in its main. */
const Environment = z.object({
  CCX_INSTANCE: z.string().regex(/^[a-z0-9-]{1,32}$/).default('ccx'),
  /** EventStoreDB: `esdb://…`, with user and password where it has users. */
  EVENTSTORE_URL: z.url({ protocol: /^(esdb|esdb\+discover)$/ }).default('esdb://127.0.0.1:2113?tls=false'),
  /** Where the embedded event store keeps its events: Postgres, with user and password. */
  EVENTSTORE_DB_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  /** What one append to the embedded event store may weigh, in bytes; 1 MiB if not given. Clients take 16 MiB at most. */
  EVENTSTORE_APPEND_BYTES_MAX: z.coerce.number().int().min(1_024).max(16 * 1_048_576).optional(),
  /** Where the embedded event store listens; the host of EVENTSTORE_URL if not given. Beyond loopback it needs TLS. */
  EVENTSTORE_LISTEN_HOST: z.string().optional(),
  /** The embedded event store's certificate and key, in PEM. Without them it has neither TLS nor users. */
  EVENTSTORE_CERTIFICATE_FILE: z.string().optional(),
  EVENTSTORE_KEY_FILE: z.string().optional(),
  /** What integrators reach the event store by, `esdb://host:port` without credentials; EVENTSTORE_URL if not given. */
  EVENTSTORE_PUBLIC_URL: z.url({ protocol: /^(esdb|esdb\+discover)$/ }).optional(),
  /** The password with which its user `admin` is made at the first start. */
  EVENTSTORE_ADMIN_PASSWORD_FILE: z.string().optional(),
  NATS_URL: z.string().default('nats://127.0.0.1:4222'),
  /** Postgres, with user and password. */
  CCX_DB_URL: z.url({ protocol: /^postgres(ql)?$/ }).optional(),
  /** MariaDB or MySQL, with user and password. */
  CMON_DB_URL: z.url({ protocol: /^(mysql|mariadb)$/ }).optional(),
  /** 32 random bytes in base64; wraps every owner's data key. */
  MASTER_KEY_FILE: z.string().optional(),
  /** An Ed25519 private key in PEM; signs the checkpoints of the audit trail. */
  AUDIT_KEY_FILE: z.string().optional(),
  HTTP_HOST: z.string().default('127.0.0.1'),
  HTTP_PORT: z.coerce.number().int().min(0).max(65535).default(8080),
  /** Where a worker answers /healthz, /readyz and /metrics. */
  HEALTH_PORT: z.coerce.number().int().min(0).max(65535).default(9090),
  /** True when every request comes through an ingress of ours, which says whose it is in X-Forwarded-For. */
  BEHIND_PROXY: z.stringbool().default(false),
  /** For the embedded ingress: `prefix=port`, separated by commas. */
  INGRESS_ROUTES: z
    .string()
    .regex(/^(\/[^=,]*=\d+)(,\/[^=,]*=\d+)*$/)
    .transform((text) =>
      text.split(',').map((route) => {
        const [prefix = '', port] = route.split('=')
        return { prefix, port: Number(port) }
      }),
    )
    .optional(),
  /** What clients call us; cookies are marked Secure when it begins with https. */
  PUBLIC_URL: z.url().default('http://127.0.0.1:8080'),
  CATALOGUE_FILE: z.string().optional(),
  DNS_DOMAIN: z.string().regex(/^[a-z0-9-]+(\.[a-z0-9-]+)*$/).default('ccx.test'),
  DNS_TTL_SECONDS: z.coerce.number().int().min(1).max(3600).default(15),
  /** host:port of the server that takes RFC 2136 updates for DNS_DOMAIN. */
  DNS_SERVER: z.string().regex(/^[^:]+:\d+$/).default('127.0.0.1:5300'),
  DNS_TSIG_NAME: z.string().default('ccx'),
  DNS_TSIG_SECRET_FILE: z.string().optional(),
  DNS_ZONE_FILE: z.string().optional(),
  /** Where the local providers keep their machines. */
  MACHINES_DIR: z.string().optional(),
  /** Folders searched for database programs before the PATH, separated by colons. */
  PROGRAM_DIRS: z.string().default(''),
  /** Libraries of privately unpacked programs, separated by colons. */
  LIBRARY_DIRS: z.string().default(''),
  /** The unprivileged user of the local machines when the control plane runs as root: `uid:gid`. */
  RUN_AS: z.string().regex(/^\d+:\d+$/).optional(),
  /** How long the broker waits for a worker's sign of life before it hands an order to another. */
  ORDER_ACK_WAIT_MS: z.coerce.number().int().min(500).max(600_000).default(10_000),
  WORKER_CONCURRENCY: z.coerce.number().int().min(1).max(1000).default(32),
  /** From the beginning of one look at a database node to that of the next. */
  WATCH_INTERVAL_MS: z.coerce.number().int().min(200).max(600_000).default(1_000),
  /** How long one look may take. */
  LOOK_TIMEOUT_MS: z.coerce.number().int().min(100).max(60_000).default(1_000),
  /** How long a primary among replicas takes writes without hearing from a controller. */
  LEASE_TTL_MS: z.coerce.number().int().min(2_000).max(600_000).default(6_000),
  /** How long a mutating call waits for the read models. */
  READ_YOUR_WRITES_MS: z.coerce.number().int().min(0).max(60_000).default(5_000),
  /** The first operator, made at start if absent; the password is read from the file. */
  ADMIN_LOGIN: z.string().default('admin@ccx.test'),
  ADMIN_PASSWORD_FILE: z.string().optional(),
  /** The machine account of operators, by HTTP Basic; without a password file it does not exist. */
  ADMIN_BASIC_USERNAME: z.string().regex(/^[^:\p{C}]{1,254}$/u).default('ccx-admin'),
  ADMIN_BASIC_PASSWORD_FILE: z.string().optional(),
  /** Whether accounts are made by operators alone, so that nobody registers himself. */
  DISABLE_USER_MANAGEMENT: z.stringbool().default(false),
  /** Whether one who registered himself makes nothing before he has confirmed his address. */
  REQUIRE_EMAIL_VERIFICATION: z.stringbool().default(false),
  /** Who may vouch for users: his name (`iss`) and his RSA key in PEM, or where he publishes his keys. */
  JWT_PUBLIC_KEY_ID: z.string().min(1).max(255).optional(),
  JWT_PUBLIC_KEY_PEM: z.string().optional(),
  /** Whether that is a `PUBLIC KEY`, not an `RSA PUBLIC KEY`; it is seen from the key, so that this changes nothing. */
  JWT_PUBLIC_KEY_PKIX: z.stringbool().optional(),
  JWT_JWKS_URL: JwksUrl.optional(),
  /** Several: a JSON list of `{ "issuer", "public_key_pem" }` and `{ "issuer", "jwks_url" }`. */
  JWT_ISSUERS_FILE: z.string().optional(),
  JWT_SESSION_SECONDS: z.coerce.number().int().min(60).max(31_536_000).default(86_400),
  /** Where a browser is sent that has signed in by a token; PUBLIC_URL if not given. */
  LOGIN_REDIRECT_URL: z.url({ protocol: /^https?$/ }).optional(),
  /** Requests each second and at once: of a user, of an address that is nobody's, and to sign in; `off` for no limit. */
  RATE_LIMIT_USER: rate('100/1000'),
  RATE_LIMIT_ADDRESS: rate('20/200'),
  RATE_LIMIT_SIGN_IN: rate('10/200'),
  /** Origins of user interfaces elsewhere, separated by commas: their pages may act for whoever is signed in. */
  ALLOWED_ORIGINS: origins,
  /** Whether webhooks may go over plain http, for tests and closed networks. */
  WEBHOOK_ALLOW_HTTP: z.stringbool().default(false),
  /** Blocks of addresses that webhooks may go to although they are not public, separated by commas: `10.1.0.0/16`. */
  WEBHOOK_ALLOWED_TARGETS: z
    .string()
    .default('')
    .transform((text) => text.split(',').map((block) => block.trim()).filter((block) => block !== ''))
    .pipe(z.array(z.union([z.cidrv4(), z.cidrv6()]))),
  /** The server that takes our mails: `smtp://user:password@host:port` or `smtps://…`. Without it they go to MAIL_DIR. */
  SMTP_URL: z.url({ protocol: /^smtps?$/ }).optional(),
  /** The authority behind that server's certificate, in PEM, if it is not one of the usual ones. */
  SMTP_CA_FILE: z.string().optional(),
  /** Whom mails come from: `Name <address>` or an address; no-reply at DNS_DOMAIN if not given. */
  MAIL_FROM: z.string().regex(/^([^<>\r\n]* <[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/).optional(),
  /** Where mails become files when there is no SMTP_URL. */
  MAIL_DIR: z.string().optional(),
  OTLP_ENDPOINT: z.url().optional(),
  LOG_LEVEL: z.enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal']).default('info'),
})

type Environment = z.infer<typeof Environment>
export type Config = Readonly<ReturnType<typeof structured>>

const paths = (text: string): readonly string[] => text.split(':').filter((path) => path !== '')

const structured = (env: Environment) => ({
  instance: env.CCX_INSTANCE,
  eventStoreUrl: env.EVENTSTORE_URL,
  eventStoreDbUrl: env.EVENTSTORE_DB_URL,
  eventStore: {
    appendBytesMax: env.EVENTSTORE_APPEND_BYTES_MAX,
    listenHost: env.EVENTSTORE_LISTEN_HOST,
    publicUrl: env.EVENTSTORE_PUBLIC_URL,
    certificateFile: env.EVENTSTORE_CERTIFICATE_FILE,
    keyFile: env.EVENTSTORE_KEY_FILE,
    adminPasswordFile: env.EVENTSTORE_ADMIN_PASSWORD_FILE,
  },
  natsUrl: env.NATS_URL,
  ccxDbUrl: env.CCX_DB_URL,
  cmonDbUrl: env.CMON_DB_URL,
  masterKeyFile: env.MASTER_KEY_FILE,
  auditKeyFile: env.AUDIT_KEY_FILE,
  http: {
    host: env.HTTP_HOST,
    port: env.HTTP_PORT,
    publicUrl: env.PUBLIC_URL,
    readYourWritesMs: env.READ_YOUR_WRITES_MS,
    behindProxy: env.BEHIND_PROXY,
    limits: { user: env.RATE_LIMIT_USER, address: env.RATE_LIMIT_ADDRESS, signIn: env.RATE_LIMIT_SIGN_IN },
    allowedOrigins: env.ALLOWED_ORIGINS,
  },
  healthPort: env.HEALTH_PORT,
  ingressRoutes: env.INGRESS_ROUTES,
  catalogueFile: env.CATALOGUE_FILE,
  dns: {
    domain: env.DNS_DOMAIN,
    ttlSeconds: env.DNS_TTL_SECONDS,
    server: env.DNS_SERVER,
    tsigName: env.DNS_TSIG_NAME,
    tsigSecretFile: env.DNS_TSIG_SECRET_FILE,
    zoneFile: env.DNS_ZONE_FILE,
  },
  machines: {
    dir: env.MACHINES_DIR,
    binDirs: paths(env.PROGRAM_DIRS),
    libraryDirs: paths(env.LIBRARY_DIRS),
    user: userOf(env.RUN_AS),
  },
  orderAckWaitMs: env.ORDER_ACK_WAIT_MS,
  workerConcurrency: env.WORKER_CONCURRENCY,
  watch: { intervalMs: env.WATCH_INTERVAL_MS, lookTimeoutMs: env.LOOK_TIMEOUT_MS, leaseTtlMs: env.LEASE_TTL_MS },
  admin: { login: env.ADMIN_LOGIN, passwordFile: env.ADMIN_PASSWORD_FILE },
  adminBasic: { username: env.ADMIN_BASIC_USERNAME, passwordFile: env.ADMIN_BASIC_PASSWORD_FILE },
  accounts: { registrationOpen: !env.DISABLE_USER_MANAGEMENT, requireConfirmed: env.REQUIRE_EMAIL_VERIFICATION },
  jwt: {
    issuers: issuersOf(env),
    sessionSeconds: env.JWT_SESSION_SECONDS,
    redirectUrl: env.LOGIN_REDIRECT_URL ?? env.PUBLIC_URL,
  },
  webhooks: { allowHttp: env.WEBHOOK_ALLOW_HTTP, allowed: env.WEBHOOK_ALLOWED_TARGETS },
  mail: {
    smtpUrl: env.SMTP_URL,
    smtpCaFile: env.SMTP_CA_FILE,
    from: env.MAIL_FROM ?? `no-reply@${env.DNS_DOMAIN}`,
    dir: env.MAIL_DIR,
  },
  otlpEndpoint: env.OTLP_ENDPOINT,
  logLevel: env.LOG_LEVEL,
})

const userOf = (text: string | undefined): { readonly uid: number; readonly gid: number } | undefined => {
  const [uid, gid] = text?.split(':').map(Number) ?? []
  return uid === undefined || gid === undefined ? undefined : { uid, gid }
}

const WITH_PASSWORDS = ['EVENTSTORE_URL', 'EVENTSTORE_DB_URL', 'NATS_URL', 'CCX_DB_URL', 'CMON_DB_URL', 'SMTP_URL'] as const

/**
 * Reads the configuration.
 *
 * @param env the process's environment; variables that carry passwords are removed from it once read
 * @throws one message that lists every fault, not the first of many restarts
 */
export const readConfig = (env: NodeJS.ProcessEnv = process.env): Config => {
  const parsed = Environment.safeParse(env)
  if (!parsed.success) throw new Error(`Bad environment:\n${z.prettifyError(parsed.error)}`)
  for (const name of WITH_PASSWORDS) delete env[name]
  return Object.freeze(structured(parsed.data))
}

/** A setting that this service cannot do without. */
export const required = <T>(value: T | undefined, name: string): T => {
  if (value === undefined) throw new Error(`Bad environment:\n${name} is not set, and this service needs it`)
  return value
}

/** A secret from a file of mode 0600, without the final line break. */
export const readSecretFile = (path: string): string => readFileSync(path, 'utf8').trimEnd()

/** What the command-line entry passes on to the programs it starts: nothing but where to find things. */
export const inheritedEnvironment = (env: NodeJS.ProcessEnv = process.env): Record<string, string> =>
  Object.fromEntries(
    ['PATH', 'HOME', 'LANG', 'TMPDIR', 'TZ', 'NODE_EXTRA_CA_CERTS', 'CI'].flatMap((name) => {
      const value = env[name]
      return value === undefined ? [] : [[name, value] as const]
    }),
  )

/**
 * What the user has set of the services' own settings, for the command-line entry to pass on to the services it starts.
 *
 * @throws one message that lists every fault
 */
export const givenSettings = (env: NodeJS.ProcessEnv = process.env): Record<string, string> => {
  const parsed = Environment.partial().safeParse(env)
  if (!parsed.success) throw new Error(`Bad environment:\n${z.prettifyError(parsed.error)}`)
  return Object.fromEntries(
    Object.keys(Environment.shape).flatMap((name) => {
      const value = env[name]
      return value === undefined ? [] : [[name, value] as const]
    }),
  )
}

/** Real servers that the contract tests should be run against too. */
export const testTargets = (env: NodeJS.ProcessEnv = process.env): Record<string, string> =>
  Object.fromEntries(
    ['ESDB_URL'].flatMap((name) => {
      const value = env[name]
      return value === undefined ? [] : [[name, value] as const]
    }),
  )
