import { HostUnreachable } from '../../host.ts'

/** How long a call may go on to a machine that cannot be reached any more. */
const LOOK_EVERY_MS = 200

/** One that cannot be looked at is not taken for lost. */
const isLost = (isReachable: () => boolean): boolean => {
  try {
    return !isReachable()
  } catch {
    return false
  }
}

/**
 * Does something on a machine as it would be done over the network: it breaks off when the machine cannot be reached any
 * more, and its answer does not arrive then.
 *
 * @param isReachable looks at the machine and its link; must be cheap
 * @param act gets a signal that is aborted when it has been broken off
 * @throws HostUnreachable before, during or after
 */
export const whileReachable = async <T>(
  isReachable: () => boolean,
  act: (broken: AbortSignal) => Promise<T>,
): Promise<T> => {
  if (!isReachable()) throw new HostUnreachable()
  const broken = new AbortController()
  const loss = Promise.withResolvers<never>()
  const looking = setInterval(() => {
    if (!isLost(isReachable)) return
    broken.abort()
    loss.reject(new HostUnreachable())
  }, LOOK_EVERY_MS)
  try {
    const answer = await Promise.race([act(broken.signal), loss.promise])
    if (isLost(isReachable)) throw new HostUnreachable()
    return answer
  } catch (cause) {
    if (cause instanceof HostUnreachable || !isLost(isReachable)) throw cause
    throw new HostUnreachable({ cause })
  } finally {
    clearInterval(looking)
  }
}
