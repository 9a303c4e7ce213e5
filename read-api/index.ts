import { autoscale } from './autoscale.ts'
import type { Endpoint } from '../domain/kernel/endpoint.ts'
import { READ_SCHEMA } from '../projections/schema.ts'
import { adminCheck } from './admin/check.ts'
import { admin } from './admin/index.ts'
import { type AuthorityQueries, authority } from './authority.ts'
import { type DatastoreQueries, datastores } from './datastores.ts'
import { deployWizard } from './deploy-wizard.ts'
import { firewall } from './firewall.ts'
import { history as historyCalls } from './history/index.ts'
import { jobs } from './jobs.ts'
import { nodes } from './nodes.ts'
import { outages } from './outages.ts'
import { parameterGroups } from './parameter-groups.ts'

/**
 * Every query of the API. An owner sees what is his, and an operator no more than that but in the calls for operators.
 *
 * @param options.db where the read models are
 * @param options.catalogue what can be deployed, and how its parts are called
 * @param options.personal opens what the tenant wrote in his own words
 * @param options.history where what was is found
 * @param options.openPassword opens the sealed password of a datastore's administrator
 * @param options.openAuthority opens the certificate of a datastore's authority
 * @param options.version of this release
 */
export const readApi = ({
  db,
  catalogue,
  personal,
  history,
  openPassword,
  openAuthority,
  version,
}: DatastoreQueries & AuthorityQueries & { readonly version: string }): readonly Endpoint[] => {
  const read = db.withSchema(READ_SCHEMA)
  return [
    deployWizard(catalogue),
    ...datastores({ db: read, catalogue, personal, history, openPassword }),
    nodes({ db: read, catalogue, history }),
    outages({ db: read, history }),
    autoscale({ db: read, history }),
    firewall({ db: read, catalogue, personal, history }),
    authority({ db: read, openAuthority }),
    ...jobs({ db: read, personal, history }),
    ...parameterGroups({ db: read, catalogue, personal, history }),
    ...historyCalls({ db: read, catalogue, personal, history }),
    ...admin({ db: read, catalogue, personal, history, version }),
    adminCheck,
  ]
}
