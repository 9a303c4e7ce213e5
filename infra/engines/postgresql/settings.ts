/** A server parameter and its value, as postgresql.conf writes it: numbers carry their unit. */
export type Settings = Readonly<Record<string, string | number>>

const MB_PER_GB = 1024

/** Connections by memory: below the given GB, that many. */
const CONNECTIONS = [
  { belowGb: 4, connections: 100 },
  { belowGb: 16, connections: 200 },
  { belowGb: 32, connections: 400 },
  { belowGb: 64, connections: 800 },
] as const
const CONNECTIONS_MAX = 1000

const clamp = (value: number, least: number, most: number): number => Math.min(Math.max(Math.floor(value), least), most)

/**
 * What follows from the size of the machine: a quarter of the memory for shared buffers, three quarters assumed to be
 * cache (PostgreSQL manual, 20.4 and 20.7), the rest shared among the connections. The least values keep a very small
 * machine usable.
 *
 * A replica must allow for as many connections as its primary does, or it replays nothing (manual, 27.4.3), and any replica
 * may become the primary: so their number follows from the size of the datastore, not from that of one machine.
 *
 * @param instance.ramGb memory of this machine in GiB; fractions are allowed
 * The write-ahead log has its place on the volume too. A twentieth of it may be written between two checkpoints, and less than
 * that is kept for replicas: a volume that is nearly full must have room for what reading alone writes (hint bits, 30.1). For a
 * replica that is away a tenth is kept at most; one that is away for longer is copied anew.
 *
 * @param common.ramGb memory of a machine of the datastore's size
 * @param common.volumeGib how large each volume is; absent: not limited
 */
export const settingsFor = (
  { ramGb }: { readonly ramGb: number },
  common: { readonly ramGb: number; readonly volumeGib?: number },
): Settings => {
  const ramMb = ramGb * MB_PER_GB
  const volumeMb = (common.volumeGib ?? Infinity) * MB_PER_GB
  const connections = CONNECTIONS.find(({ belowGb }) => common.ramGb < belowGb)?.connections ?? CONNECTIONS_MAX
  return {
    max_connections: connections,
    shared_buffers: `${clamp(ramMb / 4, 16, 256 * MB_PER_GB)}MB`,
    effective_cache_size: `${clamp(ramMb * 0.75, 48, 1024 * MB_PER_GB)}MB`,
    work_mem: `${clamp(ramMb / connections, 1, 1024)}MB`,
    maintenance_work_mem: `${clamp(ramMb / 16, 16, 2047)}MB`,
    wal_keep_size: `${clamp(Math.min(clamp(ramMb / 8, 64, 1024), volumeMb / 50), 16, 1024)}MB`,
    max_slot_wal_keep_size: `${clamp(Math.min(volumeMb / 10, 16 * MB_PER_GB), 64, 16 * MB_PER_GB)}MB`,
    max_wal_size: `${clamp(Math.min(clamp(ramMb / 4, 256, 16 * MB_PER_GB), volumeMb / 20), 48, 16 * MB_PER_GB)}MB`,
  }
}
