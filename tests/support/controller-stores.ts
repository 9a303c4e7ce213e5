import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { z } from 'zod'
import type { ClusterRef } from '../../domain/job/orders.ts'
import type { ControllerStore } from '../../infra/controller-store/controller-store.ts'
import { controllerStore } from '../../infra/controller-store/mysql.ts'
import type { StoreRequest } from './controller-store-process.ts'
import { startMariadb } from './mariadb.ts'

export type StoreServer = {
  readonly store: () => ControllerStore
  /** A store of its own in a process of its own. */
  readonly process: () => StoreProcess
  readonly stop: () => Promise<void>
}

/** Every implementation of the controller's store. */
export const controllerStores: readonly { readonly name: string; readonly start: () => Promise<StoreServer> }[] = [
  {
    name: 'MariaDB',
    async start() {
      const { url, stop } = await startMariadb()
      return { store: () => controllerStore({ url }), process: () => storeProcess(url), stop }
    },
  },
]

export type StoreProcess = {
  readonly ask: (request: StoreRequest) => Promise<unknown>
  /** At once, as a crash does. */
  readonly kill: () => Promise<void>
}

const Answer = z.object({ n: z.number(), result: z.unknown().optional(), error: z.string().optional() })

const storeProcess = (url: string): StoreProcess => {
  const child = fork(join(import.meta.dirname, 'controller-store-process.ts'))
  const waiting = new Map<number, PromiseWithResolvers<unknown>>()
  let asked = 0
  child.on('message', (message) => {
    const { n, result, error } = Answer.parse(message)
    const one = waiting.get(n)
    if (error === undefined) one?.resolve(result)
    else one?.reject(new Error(error))
  })
  return {
    ask(request) {
      const n = asked++
      const one = Promise.withResolvers<unknown>()
      waiting.set(n, one)
      child.send({ n, url, request })
      return one.promise
    },
    async kill() {
      if (child.exitCode !== null || child.signalCode !== null) return
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}

const node = (nodeId: string, name: string) => ({
  nodeId,
  name,
  hostname: `${name}.dat_1.ccx.test`,
  provider: 'somewhere',
  address: '10.0.0.1',
  port: 5432,
  instance: { code: 'tiny', cpu: 1, ramGb: 0.5 },
})

/** A cluster of two, whose nodes' ids are its own with `-a` and `-b`. */
export const clusterOf = (datastoreId: string): ClusterRef => ({
  datastoreId,
  ownerId: 'own_1',
  engine: 'some-engine',
  version: '15',
  nodes: [node(`${datastoreId}-a`, 'db-a'), node(`${datastoreId}-b`, 'db-b')],
})
