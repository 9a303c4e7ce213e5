const SAFE = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$/

/**
 * A name that may become part of a path.
 *
 * @throws when it could lead anywhere else
 */
export const safeName = (name: string): string => {
  if (!SAFE.test(name)) throw new Error('an id or a unit name holds characters that no path may hold')
  return name
}
