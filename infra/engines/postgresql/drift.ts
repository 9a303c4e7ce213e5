import type { ReachedNode } from '../engine.ts'
import { settingsIn } from './config.ts'
import { layoutOf } from './layout.ts'
import { REPLICA_NEEDS } from './needs.ts'
import { literal } from './psql.ts'
import { settingsFor } from './settings.ts'

/** What is told by roles and by the guard of the volumes, which a member that is only looked at is not asked for. */
const TOLD = ['primary_conninfo', 'primary_slot_name', 'default_transaction_read_only']

/**
 * Asks a server for its settings that are not what it was given: changed past its configuration, in its configuration by hand, or
 * waiting for a restart. Where the session that asks has a value of its own, the configuration file is compared instead.
 *
 * @returns a query that gives one JSON array of names
 */
export const driftQuery = ({ host, member, instance, common, parameters }: ReachedNode): string => {
  const settings = settingsFor(instance, common)
  const config = { layout: layoutOf(host), settings, member, address: host.address, upstream: undefined }
  const ours = settingsIn({ ...config, parameters: {} })
  const chosen = Object.fromEntries(Object.entries(parameters).filter(([name]) => !Object.hasOwn(ours, name)))
  const names = [...Object.keys(ours), ...Object.keys(chosen), ...TOLD, ...REPLICA_NEEDS].map(literal).join(', ')
  return `
select coalesce(json_agg(s.name order by s.name), '[]') from pg_settings s
  left join json_each_text(${literal(JSON.stringify(chosen))}::json) w(name, value) on w.name = s.name
 where s.pending_restart
    or s.source = 'configuration file' and (s.sourcefile <> current_setting('config_file') or lower(s.name) not in (${names}))
    or w.value is not null and case
         when s.source = 'client' then w.value is distinct from (
           select f.setting from pg_file_settings f where f.name = s.name and f.error is null order by f.seqno desc limit 1)
         when s.vartype = 'bool' then lower(w.value) in ('on', 'true', 'yes', '1') <> (s.setting = 'on')
         when s.vartype in ('integer', 'real') and w.value ~ '^[-+0-9.eE]+$' then w.value::float8 <> s.setting::float8
         else lower(w.value) <> lower(s.setting) end`
}
