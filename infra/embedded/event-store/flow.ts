import { ServerInterceptingCall, type ServerInterceptor } from '@grpc/grpc-js'

/** How many messages of a call may be on their way to the socket before its writer is held back. */
const IN_FLIGHT_MAX = 256

/**
 * Lets a call hand over message after message without waiting until each has left the process, so that many go out in
 * one write. gRPC's own stream hands over one and waits; reading the log is two to three times as fast with this.
 */
export const flowing: ServerInterceptor = (_method, call) => {
  let inFlight = 0
  let held: (() => void) | undefined
  const sent = (): void => {
    inFlight -= 1
    if (held === undefined || inFlight > IN_FLIGHT_MAX / 2) return
    const release = held
    held = undefined
    release()
  }
  return new ServerInterceptingCall({
    start: (listener) => call.start(listener),
    sendMetadata: (metadata) => call.sendMetadata(metadata),
    sendMessage: (message, callback) => {
      inFlight += 1
      call.sendMessage(message, sent)
      if (inFlight < IN_FLIGHT_MAX) callback()
      else held = callback
    },
    sendStatus: (status) => call.sendStatus(status),
    startRead: () => call.startRead(),
    getPeer: () => call.getPeer(),
    getDeadline: () => call.getDeadline(),
    getHost: () => call.getHost(),
    getAuthContext: () => call.getAuthContext(),
    getConnectionInfo: () => call.getConnectionInfo(),
    getMetricsRecorder: () => call.getMetricsRecorder(),
  })
}
