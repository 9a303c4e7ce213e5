import type { Endpoint } from '../../domain/kernel/endpoint.ts'
import type { HistoryQueries } from '../history/past.ts'
import { adminAudit } from './audit.ts'
import { billing } from './billing.ts'
import { adminDatastores } from './datastores.ts'
import { controllerVersion } from './platform.ts'
import type { StoreQueries } from './stores.ts'
import { adminUsers } from './users.ts'

/**
 * What operators read of everybody.
 *
 * @param options.version of this release
 */
export const admin = ({
  history,
  version,
  ...queries
}: StoreQueries & { readonly history: HistoryQueries; readonly version: string }): readonly Endpoint[] => [
  ...adminDatastores(queries),
  adminAudit({ ...queries, audit: history.audit }),
  ...billing({ db: queries.db, personal: queries.personal, now: history.now }),
  controllerVersion(version),
  ...adminUsers(queries),
]
