import type { Catalogue } from '../../../domain/catalogue/catalogue.ts'

/**
 * Holds the catalogue against what this installation has: what is offered must not fail when a tenant orders it, and a
 * job for a cloud that nobody knows could not even be undone.
 *
 * @param kind what is looked at
 * @param names those that are there
 * @throws for the first cloud or vendor that wants another one, by its code
 */
export const checkOffered = (
  { clouds, vendors }: Catalogue,
  kind: 'provider' | 'engine',
  names: readonly string[],
): void => {
  const wanted =
    kind === 'provider'
      ? clouds.map(({ code, provider }) => ({ code, name: provider }))
      : vendors.map(({ code, engine }) => ({ code, name: engine }))
  for (const { code, name } of wanted) {
    if (names.includes(name)) continue
    throw new Error(`the catalogue offers ${code} by the ${kind} ${name}, which there is not; there is ${names.join(', ')}`)
  }
}
