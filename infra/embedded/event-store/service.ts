import type { ServiceDefinition, UntypedServiceImplementation } from '@grpc/grpc-js'
import type { ServedMethod } from './features.ts'
import type { Log } from './log.ts'
import type { OpenCalls } from './open-calls.ts'

/** A gRPC service: how its messages look, who answers them, and which of its calls are served. */
export type Service = {
  readonly definition: ServiceDefinition
  readonly implementation: UntypedServiceImplementation
  readonly served: readonly ServedMethod[]
}

/** What a service may use. */
export type Serving = {
  readonly log: Log
  /** Every call that stays open for long is to be added here, so that a shutdown can end it. */
  readonly calls: OpenCalls
}
