import type { Refusal } from './refusal.ts'

/** The answering side of a streaming call. */
export type Outlet = {
  /** Sends a message. Many may be sent before `drained` is awaited; what is sent meanwhile waits in memory. */
  readonly send: (message: Buffer) => void
  /** Resolves once the client has taken nearly all that was sent, or is gone. */
  readonly drained: () => Promise<void>
  /** Whether nobody listens any more. */
  readonly gone: () => boolean
  /** Calls back once when nobody listens any more. Returns how to forget about it. */
  readonly onGone: (callback: () => void) => () => void
  readonly end: () => void
  readonly fail: (refusal: Refusal) => void
}

/** What is used of a call that answers with many messages, whatever comes in by it. */
type Answering = {
  readonly cancelled: boolean
  readonly writableNeedDrain: boolean
  write(message: Buffer): boolean
  end(): unknown
  emit(event: 'error', error: Error): boolean
  on(event: 'drain' | 'cancelled' | 'close', listener: () => void): unknown
}

/** There is one waiter for `drain` per call: one per message would pile up listeners under load. */
export const outlet = (call: Answering): Outlet => {
  let over = call.cancelled
  let draining: PromiseWithResolvers<void> | undefined
  const listeners = new Set<() => void>()

  const release = (): void => {
    draining?.resolve()
    draining = undefined
  }
  const leave = (): void => {
    if (over) return
    over = true
    release()
    for (const callback of listeners) callback()
    listeners.clear()
  }
  call.on('drain', release)
  call.on('cancelled', leave)
  call.on('close', leave)

  return {
    send: (message) => {
      if (!over) call.write(message)
    },
    drained: () => {
      if (over || !call.writableNeedDrain) return Promise.resolve()
      draining ??= Promise.withResolvers()
      return draining.promise
    },
    gone: () => over,
    onGone: (callback) => {
      if (over) callback()
      else listeners.add(callback)
      return () => void listeners.delete(callback)
    },
    end: () => {
      if (over) return
      leave()
      call.end()
    },
    fail: (refusal) => {
      if (over) return
      leave()
      call.emit('error', refusal)
    },
  }
}
