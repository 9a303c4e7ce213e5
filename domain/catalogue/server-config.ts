import { type Instant, reached } from '../kernel/time.ts'
import type { Catalogue } from './catalogue.ts'

/**
 * Whether there is a newer image or software than a node was built from.
 *
 * @param builtAt when its building was begun
 * @param now a date in the future has brought nothing yet
 */
export const isOutdated = ({ serverConfig }: Pick<Catalogue, 'serverConfig'>, builtAt: Instant, now: Instant): boolean =>
  serverConfig !== undefined && reached(serverConfig, now) && builtAt < serverConfig
