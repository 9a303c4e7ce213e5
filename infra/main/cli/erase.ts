import { setTimeout as pause } from 'node:timers/promises'
import { z } from 'zod'
import { eraseOrganisation } from '../../../command-handlers/auth/erase.ts'
import { causeBy } from '../../../command-handlers/auth/register.ts'
import { handle } from '../../../command-handlers/handle.ts'
import { leaveOrganisations } from '../../../command-handlers/organisations/leaving.ts'
import { accountIdOf } from '../../../command-handlers/ids.ts'
import { webhook } from '../../../domain/webhook/webhook.ts'
import { READ_SCHEMA } from '../../../projections/schema.ts'
import { eventStoreUsers } from '../../event-store/esdb-users.ts'
import { removeFiled } from '../../mail/files.ts'
import { knownOrganisations } from '../../organisations/known.ts'
import { integrationStream } from '../../integration/copier.ts'
import { KEY_AGE_MS_MAX } from '../../secrets/personal-data.ts'
import { sealedSecrets } from '../../secrets/sealed.ts'
import { deliveries, deliveryDb } from '../../webhooks/deliveries.ts'
import { OPERATOR } from './accounts.ts'
import { onStores, type Stores } from './stores.ts'
import { type Command, parseOptions, UsageError } from './usage.ts'

const WAIT_MS = 10_000

/** Its webhooks, with what they have sent. Their secrets go with its key. */
const deleteWebhooks = async (
  { store, pool, db, now }: Pick<Stores, 'store' | 'pool' | 'db' | 'now'>,
  organisationId: string,
): Promise<void> => {
  const { forget } = deliveries(await deliveryDb(pool), now)
  const send = handle({ store }, webhook, ({ data }) => `webhook-${data.webhookId}`)
  const rows = db.withSchema(READ_SCHEMA).selectFrom('webhooks').select('webhook_id')
  for (const { webhook_id: webhookId } of await rows.where('organisation_id', '=', organisationId).execute()) {
    await send({ type: 'DeleteWebhook', data: { webhookId, now: now() } }, causeBy(OPERATOR, organisationId))
    await forget(webhookId)
  }
}

/** Erases an organisation: its account is closed for ever and its key destroyed. */
export const erase: Command = async (args) => {
  const { values, positionals } = parseOptions(args, {
    options: { state: { type: 'string' }, yes: { type: 'boolean', default: false } },
    allowPositionals: true,
  })
  const [who, ...rest] = positionals
  if (who === undefined || rest.length > 0) throw new UsageError('erase wants: LOGIN or ID')
  const organisationId = z.uuid().safeParse(who).success ? who.toLowerCase() : accountIdOf(who)
  if (!values.yes) throw new UsageError(`this cannot be undone; to erase organisation ${organisationId}, say --yes`)
  await onStores(values.state, async ({ config, store, auth, pool, db, masterKey, personal, position, now }) => {
    const users = eventStoreUsers({ connectionString: config.eventStoreUrl })
    const secrets = sealedSecrets({ pool, masterKey })
    const erasing = {
      store,
      credentials: auth.credentials,
      sessions: auth.sessions,
      leave: (userId: string) => {
        const leaving = { store, ...knownOrganisations({ db, personal }), now }
        return leaveOrganisations(leaving, userId, async (left) => causeBy(OPERATOR, left))
      },
      now,
      endings: [
        async (ownerId: string) => {
          if (users.distinguishes) await users.removeUser(integrationStream(ownerId))
        },
        (ownerId: string) => deleteWebhooks({ store, pool, db, now }, ownerId),
      ],
      datastoresOf: async (ownerId: string) => {
        const rows = db.withSchema(READ_SCHEMA).selectFrom('datastores').select('datastore_id')
        return (await rows.where('owner_id', '=', ownerId).execute()).map(({ datastore_id: id }) => id)
      },
      settled: async (reached: Parameters<typeof position.waitFor>[0] | undefined) => {
        if (reached !== undefined) await position.waitFor(reached, WAIT_MS)
      },
      destroyKey: async (ownerId: string) => {
        await secrets.destroyOwner(ownerId)
        // A page that is freed keeps its bytes until it is written again; the wrapped key must not lie about in one.
        await pool.query('vacuum full vault.owner_key')
        await pause(KEY_AGE_MS_MAX)
        // From now on none can be opened any more to be filed.
        if (config.mail.dir !== undefined) await removeFiled(config.mail.dir, ownerId)
      },
    }
    await eraseOrganisation(erasing, organisationId, OPERATOR).finally(users.close)
  })
  console.log(`Organisation ${organisationId} is erased: its key is destroyed, and nothing it sealed can be read again.`)
  console.log('Backups of CCX DB hold the wrapped key as long as they are kept; see docs/personal-data.md.')
  return 0
}
