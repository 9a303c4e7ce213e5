import features from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js'
import messages from '@eventstore/db-client/generated/serverfeatures_pb.js'
import type shared from '@eventstore/db-client/generated/shared_pb.js'
import type { handleUnaryCall } from '@grpc/grpc-js'
import type { Service } from './grpc-service.ts'

/** The release of EventStoreDB whose behaviour is followed. */
const SERVER_VERSION = '24.10.0'

/** A call that is served. Clients ask for these once per connection and choose their ways by the answer. */
export type ServedMethod = { readonly service: string; readonly method: string; readonly features?: readonly string[] }

const OWN: ServedMethod = {
  service: 'event_store.client.server_features.ServerFeatures',
  method: 'GetSupportedMethods',
}

const supportedMethodsCall =
  (served: readonly ServedMethod[]): handleUnaryCall<shared.Empty, messages.SupportedMethods> =>
  (_call, callback) => {
    const answer = new messages.SupportedMethods().setEventStoreServerVersion(SERVER_VERSION)
    for (const { service, method, features: names = [] } of served) {
      answer.addMethods(
        new messages.SupportedMethod()
          .setServiceName(service)
          .setMethodName(method.toLowerCase())
          .setFeaturesList([...names]),
      )
    }
    callback(null, answer)
  }

/** Tells clients what the other services serve, and nothing else. */
export const featuresService = (others: readonly Service[]): Service => {
  const served = [OWN]
  return {
    definition: features.ServerFeaturesService,
    implementation: { getSupportedMethods: supportedMethodsCall([...served, ...others.flatMap((it) => it.served)]) },
    served,
  }
}
