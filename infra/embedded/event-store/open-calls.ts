import { status } from '@grpc/grpc-js'
import { Refusal } from './refusal.ts'

type OpenCall = { emit(event: 'error', error: Error): boolean; once(event: 'close', listener: () => void): unknown }

/** The calls under way, so that a shutdown can end them in the way that makes clients reconnect. */
export type OpenCalls = {
  /** @returns the call itself */
  readonly add: <T extends OpenCall>(call: T) => T
  readonly cancel: () => void
}

export const openCalls = (): OpenCalls => {
  const open = new Set<OpenCall>()
  return {
    add: (call) => {
      open.add(call)
      call.once('close', () => open.delete(call))
      return call
    },
    cancel: () => {
      for (const call of open) call.emit('error', new Refusal(status.CANCELLED, 'the event store is shutting down'))
    },
  }
}
