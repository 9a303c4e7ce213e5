import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js'
import type { Access } from './access/index.ts'
import type { ServedMethod } from './features.ts'
import type { Log } from './log.ts'
import type { OpenCalls } from './open-calls.ts'

/** A gRPC service: how its messages look, who answers them, and which of its calls are served. */
export type Service = {
  readonly definition: ServiceDefinition
  readonly implementation: UntypedServiceImplementation
  readonly served: readonly ServedMethod[]
  /** Ends what the service does of itself. It is called when a shutdown has ended the open calls. */
  readonly close?: () => Promise<void>
}

/** What a service may use. */
export type Serving = {
  /** The whole log, for what the store does of itself; what a caller asks for goes through `access`. */
  readonly log: Log
  readonly access: Access
  /** Every call that stays open for long is to be added here, so that a shutdown can end it. */
  readonly calls: OpenCalls
}
