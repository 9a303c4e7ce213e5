import { z } from 'zod'
import type { ControllerStore } from '../../infra/controller-store/controller-store.ts'
import { controllerStore } from '../../infra/controller-store/mysql.ts'

/** The store of one controller in a process of its own: it does what its parent asks, and tells what came of it. */
const Request = z.discriminatedUnion('ask', [
  z.object({ ask: z.enum(['claim', 'fence', 'unfence']), datastoreId: z.string(), epoch: z.number(), nodeId: z.string() }),
  z.object({ ask: z.literal('renew'), controllerId: z.string() }),
  /** Answered once the lock is held; it is then held until the process ends. */
  z.object({ ask: z.literal('hold'), nodeId: z.string() }),
])
export type StoreRequest = z.infer<typeof Request>

const Message = z.object({ n: z.number(), url: z.string(), request: Request })

const answer = async (store: ControllerStore, request: StoreRequest): Promise<unknown> => {
  switch (request.ask) {
    case 'claim':
      return store.claimPromotion(request.datastoreId, request.epoch, request.nodeId)
    case 'fence':
      return store.fence(request.datastoreId, request.nodeId, request.epoch)
    case 'unfence':
      return store.unfence(request.datastoreId, request.nodeId, request.epoch)
    case 'renew':
      return (await store.renewSlots(request.controllerId)).owned
    case 'hold': {
      const held = Promise.withResolvers<boolean>()
      const forEver = (): Promise<never> => {
        held.resolve(true)
        return new Promise(() => undefined)
      }
      void store.exclusively(request.nodeId, forEver, { waitMs: 60_000 }).catch(held.reject)
      return held.promise
    }
  }
}

let store: ControllerStore | undefined
process.on('message', (message) => {
  const { n, url, request } = Message.parse(message)
  store ??= controllerStore({ url })
  answer(store, request).then(
    (result) => process.send?.({ n, result }),
    (error: unknown) => process.send?.({ n, error: error instanceof Error ? error.message : 'unknown' }),
  )
})
// A parent that is gone takes no more care of us.
process.once('disconnect', () => process.exit())
