import type { EngineSecrets, Member } from '../engine.ts'
import { REPLICATION_ROLE, SUPERUSER, slotOf } from './layout.ts'
import { literal, name } from './psql.ts'
import { scramVerifier } from './scram.ts'

/**
 * Our own roles: the superuser, who cannot come over the network, and the one that members stream with.
 *
 * Before version 16 whoever may create roles may also grant himself the predefined roles that run programs and touch
 * files as the server's user. Marked as superusers, which nobody but a superuser may grant and as which nobody can
 * log in, they are out of reach.
 */
export const ownRoles = async ({ superuserPassword, replicationPassword }: EngineSecrets): Promise<string> => `
${roleIfAbsent(REPLICATION_ROLE)}
alter role ${REPLICATION_ROLE} login replication password ${literal(await scramVerifier(replicationPassword))};
grant pg_monitor to ${REPLICATION_ROLE};
${REWINDS}alter role ${SUPERUSER} password ${literal(await scramVerifier(superuserPassword))};
update pg_authid set rolsuper = true
 where rolname in ('pg_execute_server_program', 'pg_read_server_files', 'pg_write_server_files')
   and not rolsuper and current_setting('server_version_num')::int < 160000;
`

/** What a role needs of the server to rewind from it (manual, pg_rewind). The functions are those of the database postgres. */
export const REWINDS = [
  'pg_ls_dir(text, boolean, boolean)', 'pg_stat_file(text, boolean)', 'pg_read_binary_file(text)',
  'pg_read_binary_file(text, bigint, bigint, boolean)',
].map((called) => `grant execute on function pg_catalog.${called} to ${REPLICATION_ROLE};\n`).join('')

/** A role with no rights yet, unless there is one of this name. */
export const roleIfAbsent = (role: string): string =>
  `select ${literal(`create role ${name(role)}`)}
 where not exists (select from pg_roles where rolname = ${literal(role)}) \\gexec`

/**
 * A slot for each of these members, unless it has one.
 *
 * @param reserve keep the log for it from the last checkpoint on; else nothing is held back until its member has begun to
 *   stream
 */
export const slots = (
  members: readonly Member[],
  { reserve = false }: { readonly reserve?: boolean } = {},
): string =>
  members
    .map((member) => literal(slotOf(member)))
    .map(
      (slot) => `select pg_create_physical_replication_slot(${slot}, ${reserve})
 where not exists (select from pg_replication_slots where slot_name = ${slot});\n`,
    )
    .join('')

/**
 * Drops the slots of everybody else, unless somebody streams from them: an abandoned slot keeps the log until the volume
 * is full. A slot for a base backup that is being made is nobody's, and goes with it.
 */
export const noOtherSlots = (members: readonly Member[]): string => {
  const names = members.map((member) => literal(slotOf(member)))
  const others = names.length === 0 ? '' : ` and slot_name not in (${names.join(', ')})`
  return `select pg_drop_replication_slot(slot_name) from pg_replication_slots
 where slot_type = 'physical' and not temporary and active_pid is null${others};\n`
}
