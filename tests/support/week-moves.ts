import { z } from 'zod'
import { jobsOf, nodesOf } from './datastores.ts'
import type { Answer, Api, Asking } from './instance.ts'

export type Week = {
  readonly api: Api
  /** From 0 to 1. */
  readonly roll: () => number
  readonly groups: readonly string[]
  /** The last that was known of a password, by the datastore and the name of the user. */
  readonly passwords: Map<string, string>
}

type Json = z.core.util.JSONType

export const pickOf = <T>(roll: () => number, items: readonly T[]): T | undefined => items[Math.floor(roll() * items.length)]

const CLUSTER = '/api/prov/api/v2/cluster'
const NAMES = ['ann', 'ben', 'cleo', 'dora'] as const
const BASES = ['sales', 'stock', 'staff'] as const
const SIZES = ['nano', 'micro', 'small'] as const

const User = z.object({ user_name: z.string() })
const Database = z.object({ database_name: z.string() })

export const usersOf = async (api: Api, uuid: string): Promise<readonly string[]> =>
  z.array(User).parse((await api(`/api/userdb/api/v1/users/${uuid}`)).body).map((one) => one.user_name)
export const databasesOf = async (api: Api, uuid: string): Promise<readonly string[]> =>
  z.array(Database).parse((await api(`/api/userdb/api/v1/databases/${uuid}`)).body).map((one) => one.database_name)

const send = ({ api }: Week, method: NonNullable<Asking['method']>, path: string, json?: Json): Promise<Answer> =>
  api(path, { method, ...(json === undefined ? {} : { json }) })

const patch = (week: Week, uuid: string, json: Json): Promise<Answer> => send(week, 'PATCH', `${CLUSTER}/${uuid}`, json)

const aNode = async ({ api, roll }: Week, uuid: string, role?: 'primary' | 'replica'): Promise<string> => {
  const nodes = (await nodesOf(api, uuid)).filter((node) => role === undefined || node.role === role)
  return pickOf(roll, nodes)?.host_uuid ?? '4f1c2a9e-0000-4000-8000-00000000abcd'
}

const DiskSize = z.object({ disk_size: z.int() })

type Move = (week: Week, uuid: string) => Promise<Answer>

/** What a tenant does to a datastore on any day. What makes no sense just then is refused, and that is all. */
export const MOVES: Readonly<Record<string, Move>> = {
  rename: (week, uuid) => patch(week, uuid, { cluster_name: `ds ${Math.floor(week.roll() * 1000)}` }),
  tag: (week, uuid) => patch(week, uuid, { tags: [`t${Math.floor(week.roll() * 9)}`] }),
  'move the window': (week, uuid) => {
    const start_hour = Math.floor(week.roll() * 24)
    return patch(week, uuid, { maintenance_settings: { day_of_week: 3, start_hour, end_hour: (start_hour + 2) % 24 } })
  },
  'add a node': (week, uuid) => patch(week, uuid, { add_nodes: { specs: [{}] } }),
  'remove a replica': async (week, uuid) =>
    patch(week, uuid, { remove_nodes: { node_uuids: [await aNode(week, uuid, 'replica')] } }),
  promote: async (week, uuid) => send(week, 'POST', `${CLUSTER}/${uuid}/nodes/${await aNode(week, uuid, 'replica')}/promote`),
  reboot: async (week, uuid) => send(week, 'POST', `${CLUSTER}/${uuid}/nodes/${await aNode(week, uuid)}/reboot`),
  repair: async (week, uuid) => send(week, 'POST', `${CLUSTER}/${uuid}/nodes/${await aNode(week, uuid, 'replica')}/repair`),
  resize: (week, uuid) => patch(week, uuid, { new_instance_size: pickOf(week.roll, SIZES) ?? '' }),
  grow: async (week, uuid) => {
    const { disk_size: size } = DiskSize.parse((await week.api(`/api/deployment/v3/data-stores/${uuid}`)).body)
    return patch(week, uuid, { new_volume_size: size + 1 })
  },
  'apply parameters': (week, uuid) =>
    send(week, 'PUT', `/api/db-configuration/v1/parameter-groups/apply/${pickOf(week.roll, week.groups)}/${uuid}`),
  'make a database': (week, uuid) =>
    send(week, 'POST', `/api/userdb/api/v1/database/${uuid}`, { database_name: pickOf(week.roll, BASES) ?? '' }),
  'drop a database': (week, uuid) =>
    send(week, 'DELETE', `/api/userdb/api/v1/database/${uuid}`, { database_name: pickOf(week.roll, BASES) ?? '' }),
  'make a user': async (week, uuid) => {
    const name = pickOf(week.roll, NAMES) ?? ''
    const password = `pw-${Math.floor(week.roll() * 1e9)}-${name}-long`
    const answer = await send(week, 'POST', `/api/userdb/api/v1/user/${uuid}`, {
      database_username: name, database_password: password, database_name: 'ccxdb',
    })
    if (answer.status === 201) week.passwords.set(`${uuid} ${name}`, password)
    return answer
  },
  'drop a user': (week, uuid) =>
    send(week, 'DELETE', `/api/userdb/api/v1/user/${uuid}`, {
      database_username: pickOf(week.roll, NAMES) ?? '', database_host: '%',
    }),
  trust: (week, uuid) =>
    send(week, 'POST', `/api/firewall/api/v1/firewall/${uuid}`, {
      source: `127.0.${1 + Math.floor(week.roll() * 2)}.0/24`, description: 'an office',
    }),
  'trust no more': (week, uuid) =>
    send(week, 'DELETE', `/api/firewall/api/v1/firewall/${uuid}`, { source: `127.0.${1 + Math.floor(week.roll() * 2)}.0/24` }),
  stop: (week, uuid) => send(week, 'POST', `${CLUSTER}/${uuid}/stop`),
  start: (week, uuid) => send(week, 'POST', `${CLUSTER}/${uuid}/start`),
  upgrade: (week, uuid) => send(week, 'POST', `${CLUSTER}/${uuid}/upgrade`, { when: 'now' }),
}

/** Whether a datastore has no job that waits or is at work. */
export const isIdle = async (api: Api, uuid: string): Promise<boolean> =>
  (await jobsOf(api, uuid)).jobs.every(({ status }) => status !== 'JOB_STATUS_RUNNING')
