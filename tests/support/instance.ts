import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { text } from 'node:stream/consumers'
import { z } from 'zod'
import { type Config, readConfig, readSecretFile, required } from '../../infra/config.ts'
import { rfc2136 } from '../../infra/dns/rfc2136.ts'
import { tsigKey } from '../../infra/dns/tsig.ts'
import type { Dns } from '../../infra/dns/dns.ts'
import { isAlive } from '../../infra/embedded/process-identity.ts'
import { openState } from '../../infra/embedded/state.ts'
import { instance as instanceOf, PORTS } from '../../infra/main/cli/instance.ts'
import { machineNeeds, placeOf, repository } from '../../infra/main/cli/place.ts'
import { liveReport } from '../../infra/main/cli/report.ts'
import { providersOf } from '../../infra/main/parts/machines.ts'
import type { Provider } from '../../infra/providers/provider.ts'
import { freePort } from './free-port.ts'
import { ageMsOf, killProcess, processesAt } from './processes.ts'
import { testPrograms } from './programs.ts'
import { until } from './until.ts'

const CHILD_UP_WITHIN_MS = 60_000
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'

export type Answer = { readonly status: number; readonly headers: Headers; readonly body: z.core.util.JSONType }
export type Asking = {
  readonly method?: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  readonly json?: z.core.util.JSONType
  readonly headers?: Readonly<Record<string, string>>
}
/** Asks the REST API as one account. */
export type Api = (path: string, asking?: Asking) => Promise<Answer>
export type Login = { readonly login: string; readonly password: string }

/** The real thing: `./ccx up` with a state folder of its own. */
export type RunningInstance = {
  readonly stateDir: string
  /** Where its REST API is. */
  readonly url: string
  readonly login: Login
  readonly config: Config
  readonly natsUrl: string
  readonly ccxDbUrl: string
  readonly cmonDbUrl: string
  readonly dns: Dns
  readonly dnsPort: number
  readonly providers: () => readonly Provider[]
  /** Signs in and asks as that account. */
  readonly signIn: (login: Login) => Promise<Api>
  /** As the first operator. */
  readonly api: Api
  /** Runs `./ccx <args> --state …` and gives what it prints. */
  readonly ccx: (...args: readonly string[]) => Promise<string>
  readonly up: () => Promise<string>
  readonly stop: () => Promise<string>
  /** The pid of each child that runs. */
  readonly children: () => Readonly<Record<string, number>>
  /** Whether it does its work, as its supervisor knows. */
  readonly isUp: (name: string) => boolean
  /** How long its process has lived; 0 when there is none. */
  readonly ageMs: (name: string) => number
  /** Sends SIGKILL, or what is given, to a child that is up; waits until it is, first. */
  readonly kill: (name: string, signal?: NodeJS.Signals) => Promise<void>
  /** Kills at one blow: supervisor, children, and every database node. */
  readonly killAll: () => Promise<number>
  /** Ends it, makes sure that no process of it is left, and removes everything. */
  readonly down: () => Promise<void>
}

/** A program to its end, with what it printed. */
const run = async (argv: readonly string[], env: Readonly<Record<string, string>>): Promise<string> => {
  const [program = '', ...args] = argv
  const child = spawn(program, args, { cwd: repository, env, stdio: ['ignore', 'pipe', 'pipe'] })
  const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, 'close')])
  if (code !== 0) throw new Error(`${argv.slice(0, 2).join(' ')} ended with ${code}:\n${err}${out}`)
  return out
}

const signedIn = async (baseUrl: string, login: Login): Promise<Api> => {
  const ask = async (path: string, { method = 'GET', json, headers = {} }: Asking = {}): Promise<Answer> => {
    const response = await fetch(`${baseUrl}${path}`, {
      method,
      headers: { ...headers, ...(json === undefined ? {} : { 'Content-Type': 'application/json' }) },
      ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      signal: AbortSignal.timeout(30_000),
    })
    const body = await response.text()
    return { status: response.status, headers: response.headers, body: z.json().parse(JSON.parse(body || 'null')) }
  }
  const answer = await ask('/api/v2/auth/login', { method: 'POST', json: { ...login } })
  if (answer.status !== 200) throw new Error(`${login.login} cannot sign in: ${answer.status}`)
  const cookie = answer.headers.get('set-cookie')?.split(';')[0] ?? ''
  return (path, asking = {}) => ask(path, { ...asking, headers: { Cookie: cookie, ...asking.headers } })
}

/** What a service of the instance is told. */
const configOf = async (stateDir: string, settings: Readonly<Record<string, string>>): Promise<Config> => {
  const place = await placeOf(stateDir)
  const state = await openState({ dir: stateDir, ports: PORTS, user: place.user })
  const programs = await testPrograms('postgres', ...machineNeeds(place))
  const { environmentOf } = instanceOf({ state, programs, given: settings, inherited: { PATH } })
  return readConfig({ ...environmentOf('all-in-one') })
}

const dnsOf = ({ dns }: Config): Dns => {
  const [host = '', port] = dns.server.split(':')
  const key = tsigKey(dns.tsigName, readSecretFile(required(dns.tsigSecretFile, 'DNS_TSIG_SECRET_FILE')))
  return rfc2136({ host, port: Number(port), zone: dns.domain, key })
}

/** Whatever a failed test has left with the providers: namespaces and mounts outlive their processes. */
const removeMachines = async (providers: readonly Provider[]): Promise<void> => {
  for (const provider of providers) {
    if ((await provider.unavailable()) !== undefined) continue
    const left = await provider.list()
    const nodes = new Set(left.flatMap(({ nodeId }) => nodeId ?? []))
    for (const nodeId of nodes) await provider.deleteMachine(nodeId)
    for (const { kind, resourceId } of left) if (kind === 'network') await provider.deleteNetwork(resourceId)
  }
}

/**
 * Starts an instance of its own with `./ccx up`; the programs are those that all instances of the repository share.
 *
 * @param options.separate every service as a process of its own
 * @param options.settings environment variables of the services
 */
export const startInstance = async ({ separate, settings = {} }: {
  readonly separate: boolean
  readonly settings?: Readonly<Record<string, string>>
}): Promise<RunningInstance> => {
  const folder = await mkdtemp(join(tmpdir(), 'ccx-e2e-'))
  // The unprivileged user of the servers passes through.
  await chmod(folder, 0o711)
  const stateDir = join(folder, 'state')
  const env = { PATH: `${dirname(process.execPath)}:${PATH}`, ORDER_ACK_WAIT_MS: '1500', ...settings }
  const ccx = (...args: readonly string[]) => run([join(repository, 'ccx'), ...args, '--state', stateDir], env)
  const port = await freePort()
  const up = () => ccx('up', '--port', String(port), ...(separate ? ['--separate'] : []))

  let providers: readonly Provider[] = []
  const down = async (): Promise<void> => {
    try {
      await ccx('down')
      await until(() => processesAt(stateDir).length === 0, { withinMs: 5_000, what: 'no process' }).catch(() => {
        throw new Error(`left behind by ./ccx down: ${processesAt(stateDir).map(({ command }) => command).join('; ')}`)
      })
    } finally {
      for (const { process } of processesAt(stateDir)) killProcess(process)
      await removeMachines(providers)
      await rm(folder, { recursive: true, force: true })
    }
  }

  const childOf = (name: string) => liveReport(stateDir)?.children.find((child) => child.name === name)
  const isUp = (name: string) => childOf(name)?.state === 'up'
  try {
    await up()
    const config = await configOf(stateDir, settings)
    providers = providersOf(config)
    const login = { login: config.admin.login, password: readSecretFile(required(config.admin.passwordFile, 'ADMIN')) }
    const url = `http://127.0.0.1:${port}`
    const signIn = (as: Login) => signedIn(url, as)
    return {
      stateDir, url, login, config, signIn, ccx, up, down, isUp,
      ageMs: (name) => {
        const process = childOf(name)?.process ?? undefined
        return process === undefined || !isAlive(process) ? 0 : ageMsOf(process)
      },
      natsUrl: config.natsUrl,
      ccxDbUrl: required(config.ccxDbUrl, 'CCX_DB_URL'),
      cmonDbUrl: required(config.cmonDbUrl, 'CMON_DB_URL'),
      dns: dnsOf(config),
      dnsPort: Number(config.dns.server.split(':')[1]),
      providers: () => providers,
      api: await signIn(login),
      stop: () => ccx('down'),
      children: () =>
        Object.fromEntries(
          (liveReport(stateDir)?.children ?? []).flatMap(({ name, process }) =>
            process === null || !isAlive(process) ? [] : [[name, process.pid]],
          ),
        ),
      kill: async (name, signal = 'SIGKILL') => {
        const limit = { withinMs: CHILD_UP_WITHIN_MS, what: `${name} being up` }
        const target = await until(() => {
          const child = childOf(name)
          return child?.state === 'up' && child.process !== null && isAlive(child.process) ? child.process : undefined
        }, limit)
        killProcess(target, signal)
        // Or the report would still call it up.
        if (signal === 'SIGKILL') await until(() => !isAlive(target), { withinMs: 10_000, what: `the end of ${name}` })
      },
      killAll: async () => {
        const supervisor = liveReport(stateDir)?.supervisor
        if (supervisor !== undefined) killProcess(supervisor)
        const rest = processesAt(stateDir)
        for (const { process } of rest) killProcess(process)
        const limit = { withinMs: 20_000, what: 'the end of every process' }
        await until(() => {
          const left = processesAt(stateDir)
          for (const { process } of left) killProcess(process)
          return left.length === 0
        }, limit)
        return rest.length
      },
    }
  } catch (cause) {
    await down().catch(() => undefined)
    throw new Error('the instance does not start', { cause })
  }
}
