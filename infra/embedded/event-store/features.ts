import features from '@eventstore/db-client/generated/serverfeatures_pb.js'
import type { handleUnaryCall } from '@grpc/grpc-js'
import type shared from '@eventstore/db-client/generated/shared_pb.js'

/** The release of EventStoreDB whose behaviour is followed. */
const SERVER_VERSION = '24.10.0'

/** A call that is served. Clients ask for these once per connection and choose their ways by the answer. */
export type ServedMethod = { readonly service: string; readonly method: string; readonly features?: readonly string[] }

/** The GetSupportedMethods call. Only what is served is named. */
export const supportedMethodsCall =
  (served: readonly ServedMethod[]): handleUnaryCall<shared.Empty, features.SupportedMethods> =>
  (_call, callback) => {
    const answer = new features.SupportedMethods().setEventStoreServerVersion(SERVER_VERSION)
    for (const { service, method, features: names = [] } of served) {
      answer.addMethods(
        new features.SupportedMethod()
          .setServiceName(service)
          .setMethodName(method.toLowerCase())
          .setFeaturesList([...names]),
      )
    }
    callback(null, answer)
  }
