import { z } from 'zod'
import type { CommandEndpoints } from '../../command-handlers/datastore-tools.ts'
import { commandEndpoints } from '../../command-handlers/datastores.ts'
import { handle } from '../../command-handlers/handle.ts'
import { account } from '../../domain/account/account.ts'
import type { Catalogue } from '../../domain/catalogue/catalogue.ts'
import type { Endpoint } from '../../domain/kernel/endpoint.ts'
import type { EventStore } from '../../domain/kernel/event-store.ts'
import { readCatalogue } from '../../infra/catalogue/read-catalogue.ts'
import { memoryEventStore } from '../../infra/event-store/memory.ts'
import { memoryMessaging } from '../../infra/messaging/memory.ts'
import type { Handle } from '../../infra/messaging/worker.ts'
import { readPosition } from '../../infra/read-store/position.ts'
import { type WhyReply, whyReply } from '../../read-api/history/replies.ts'
import { readApi } from '../../read-api/index.ts'
import { sagas } from '../../sagas/index.ts'
import { startAudit } from './audit.ts'
import { pastIn } from './past.ts'
import { openPersonalData, sealed } from './personal-data.ts'
import { startPostgres } from './postgres.ts'
import { emptyReadStore, startProjector } from './read-store.ts'
import { principals, startRest } from './rest.ts'
import { runnerScene } from './runner-scene.ts'

const WAIT_MS = 20_000
const CLUSTER = '/api/prov/api/v2/cluster'
const { alice } = principals

const Created = z.object({ uuid: z.string() })
const Job = z.object({ jobs: z.array(z.object({ job_id: z.string() })) })

const now = () => new Date().toISOString()

const orderOf = (cluster_name: string) => ({
  general: { cluster_name, cluster_size: 2, db_vendor: 'postgres', tags: ['blue'] },
  cloud: { cloud_provider: 'local', cloud_region: 'local-1' },
  instance: { instance_size: 'small' },
  network: { network_type: 'public' },
})

type Asking = { readonly requestId: string; readonly body?: object | undefined }

/** What alice asks of a control plane that carries it out, and what she is told of it. */
const askedBy = ({ ask }: Pick<Awaited<ReturnType<typeof startRest>>, 'ask'>) => {
  /** A call that must be granted. */
  const granted = async (method: 'GET' | 'POST' | 'PATCH' | 'DELETE', path: string, asking?: Asking) => {
    const headers = asking === undefined ? {} : { 'X-Request-Id': asking.requestId }
    const { status, body, text } = await ask(method, path, { as: 'alice', headers, body: asking?.body })
    if (status >= 300) throw new Error(`${method} ${path} is answered with ${status}: ${text}`)
    return body
  }
  const read = (path: string): Promise<unknown> => granted('GET', path)
  return {
    read,
    create: async (name: string, requestId: string): Promise<string> =>
      Created.parse(await granted('POST', CLUSTER, { requestId, body: orderOf(name) })).uuid,
    change: (uuid: string, asking: Asking) => granted('PATCH', `${CLUSTER}/${uuid}`, asking),
    remove: (uuid: string, asking: Asking) => granted('DELETE', `${CLUSTER}/${uuid}`, asking),
    newestJob: async (uuid: string): Promise<string> =>
      Job.parse(await read(`/api/deployment/v2/data-stores/${uuid}/jobs`)).jobs[0]?.job_id ?? '',
    why: async (uuid: string, field = ''): Promise<WhyReply['fields']> =>
      whyReply.parse(await read(`/api/v1/datastores/${uuid}/why${field === '' ? '' : `?field=${encodeURIComponent(field)}`}`))
        .fields,
  }
}

/** The one field that was asked for. */
export const the = ([field]: WhyReply['fields']) => {
  if (field === undefined) throw new Error('there is no such field')
  return field
}

/** What led to a field, from the request to the event. */
export const typesOf = ({ chain }: WhyReply['fields'][number]) => chain.map((link) => ('type' in link ? link.type : 'request'))

type More = {
  readonly catalogue?: Catalogue
  /** What the calls see of the log. */
  readonly face?: (store: EventStore) => EventStore
  readonly calls?: (options: CommandEndpoints) => readonly Endpoint[]
}

/**
 * A control plane without machines that tells why its datastores are as they are.
 *
 * @param name used for nothing else at the same time
 * @param work does what is ordered
 * @param clock the runner's; default: one that stands still
 * @param more.calls further ones that change something
 */
export const whyScene = async (name: string, work: Handle, clock?: Parameters<typeof runnerScene>[1], more: More = {}) => {
  const server = await startPostgres(['fsync=off'])
  const readStore = await emptyReadStore(server.url, name)
  const store = memoryEventStore()
  const messaging = memoryMessaging({ ackWaitMs: 30_000 })
  const scene = runnerScene({ store, messaging }, clock)
  const position = readPosition({ url: readStore.url })
  const projector = startProjector(store, readStore)
  const audit = await startAudit(store, readStore)
  const catalogue = more.catalogue ?? readCatalogue()
  const personal = openPersonalData
  const history = pastIn(store, readStore, audit, now)
  const seen = more.face?.(store) ?? store
  const places = { domain: 'ccx.test', ttlSeconds: 15 }
  const commands = { ...places, store: seen, catalogue, sagas, personal, now, traceparent: () => undefined }
  const secrets = { openPassword: async () => 'S3cret', openAuthority: async () => undefined }
  const queries = { db: readStore.db, catalogue, personal, history, version: '0.0.1', ...secrets }
  const endpoints = [...commandEndpoints(commands), ...(more.calls?.(commands) ?? []), ...readApi(queries)]
  const rest = await startRest(endpoints, {
    waitFor: (wanted) => position.waitFor(wanted, WAIT_MS),
    isBasic: (header) => header('authorization') === 'Basic the-machine',
  })
  await projector.caughtUp
  scene.run()
  scene.work(work)

  const { userId, login } = alice
  const person = { login: sealed(login), firstName: sealed('A'), lastName: sealed('B'), isAdmin: false }
  await handle({ store }, account, ({ data }) => `account-${data.accountId}`)(
    { type: 'RegisterAccount', data: { accountId: userId, ...person, now: now() } },
    { commandId: userId, correlationId: userId, causationId: userId, actor: { kind: 'system', id: 'auth' } },
  )

  const asked = askedBy(rest)
  /** Until the newest job of a datastore has ended, and all that is read knows of it. */
  const settled = async (datastoreId: string): Promise<void> => {
    await scene.ended({ datastoreId, jobId: await asked.newestJob(datastoreId) })
    await audit.settled()
    const head = await store.read(`datastore-${datastoreId}`, { backward: true, limit: 1 })
    const last = head.events[0]?.position
    if (last === undefined || !(await position.waitFor(last, WAIT_MS))) throw new Error('the read models do not come so far')
  }
  const end = async (): Promise<void> => {
    await rest.close()
    await scene.end()
    await messaging.close()
    await projector.stop()
    await audit.stop()
    await position.close()
    await readStore.close()
    await server.stop()
  }
  return { ...asked, settled, end, rest, store, history, personal, orderOf }
}
