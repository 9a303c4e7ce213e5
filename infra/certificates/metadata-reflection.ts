/**
 * `@peculiar/x509` brings a container (tsyringe) that refuses to load without the metadata reflection of a decorator
 * proposal that never became part of the language. It asks only about constructor parameters of classes that have
 * none, so the one true answer to each question is "nothing is known".
 */
for (const question of ['getMetadata', 'getOwnMetadata']) {
  if (question in Reflect) continue
  Object.defineProperty(Reflect, question, { value: () => undefined, configurable: true, writable: true })
}
