import { accounts } from './accounts.ts'
import { databaseAccess } from './database-access.ts'
import { datastores } from './datastores.ts'
import { eventStreams } from './event-streams.ts'
import { feed } from './feed.ts'
import { jobLog } from './job-log.ts'
import { jobs } from './jobs.ts'
import { nodes } from './nodes.ts'
import { oauthClients } from './oauth-clients.ts'
import { organisations } from './organisations.ts'
import { outages } from './outages.ts'
import { parameterGroups } from './parameter-groups.ts'
import { parameters } from './parameters.ts'
import type { Projection } from './projection.ts'
import { usage } from './usage.ts'
import { webhooks } from './webhooks.ts'

/** Every read model there is. */
export const projections: readonly Projection[] = [
  datastores, nodes, jobs, jobLog, accounts, oauthClients, feed, eventStreams, webhooks, usage, organisations,
  parameterGroups, parameters, databaseAccess, outages,
]
