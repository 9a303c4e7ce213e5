/**
 * What a machine itself does about the lease of its server, in the POSIX shell and with next to no programs, for it is done a
 * few times a second. Times are the machine's uptime in hundredths of a second, as /proc/uptime has it (proc(5)).
 */

/** A lease on the machine: whose boot, until when (twice, so that a torn record is none), of which epoch. */
const READ_LEASE = `
read -r boot < /proc/sys/kernel/random/boot_id
at() {
  read -r now rest < /proc/uptime
  now=\${now%.*}\${now#*.}; now=\${now#0}; now=\${now#0}; now=\${now:-0}
}
given() {
  of= until= again= epoch= end=
  [ -e "$1" ] && read -r of until again epoch end < "$1" || return 1
  [ "$end" = . ] && [ "$until" = "$again" ] || return 1
  case $until in ''|*[!0-9]*) return 1;; esac
}
`

/**
 * Begins the server, once it may: one that begins as a replica at once, a primary that needs a lease only while it has one. The
 * server's own command follows as arguments; its third is the cluster's folder. It stands beside the lease. A server that waits
 * is told to read its configuration anew like any other, and takes no harm of it.
 */
export const GATE = `${READ_LEASE}
trap : HUP
dir=\${0%/*} data=$3
while [ -e "$dir/lease" ] && ! [ -e "$data/standby.signal" ]; do
  if [ -e "$dir/../fenced" ]; then echo 'the node is fenced: its server does not begin as a primary' >&2; exit 1; fi
  at
  given "$dir/lease" && [ "$of" = "$boot" ] && [ "$until" -gt "$now" ] && break
  sleep 0.1
done
exec "$@"
`

/** Says a lease as it is written down: always of the same length, so that it lies over the one before and needs no room. */
export const WRITE_LEASE = `printf '%-36s %16s %16s %12s .\\n'`

/** How often the server is asked for its replicas when the lease is about to end, and for how long. */
const HEAR_LIMIT_S = 0.7

/**
 * Ends the server when its lease has run out. What it goes by outlives neither itself nor a standstill: what it heard counts from
 * the look before. $1 is the cluster, $2 the folder of the lease, $3 how to connect; then follows the command that fences.
 *
 * While the lease has long to go, the server is not looked at at all. Near its end, replicas are asked for: each has been heard
 * when its last reply is another one than at the look before, whatever its clock says. A server that recovers takes no writes,
 * so that it is ended and not fenced: it may begin again when there is a lease for it.
 */
export const GUARD = `${READ_LEASE}
data=$1 dir=$2 server=$3; shift 3
ends= heard= last= last_at= swept=

terms() {
  ttl= names=
  read -r ttl names < "$dir/terms"
}
news() {
  if given "$dir/lease"; then
    if [ "$of" = "$boot" ]; then ends=$until; return; fi
    if [ "$of" != - ] && [ -z "$ends" ]; then ends=0; fi
  fi
  if [ -z "$ends" ]; then terms; ends=$((now + ttl)); fi
}
find_server() {
  pm= state= skip=
  [ -e "$data/postmaster.pid" ] && {
    read -r pm; read -r skip; read -r skip; read -r skip; read -r skip; read -r skip; read -r skip; read -r state
  } < "$data/postmaster.pid"
  case $pm in ''|*[!0-9]*) return 1;; esac
  [ "/proc/$pm/cwd" -ef "$data" ]
}
sweep() {
  for process in /proc/[0-9]*; do
    if [ "$process/cwd" -ef "$data" ]; then kill -9 "\${process#/proc/}"; fi
  done
}
end_server() {
  echo "the lease of epoch \${epoch:-?} has run out: the database server is ended"
  kill -STOP "$pm"; sweep; sweep
  [ "$state" = starting ] || "$@" || echo 'the node could not be fenced'
}
hear() {
  terms
  list=; for name in $names; do list="$list,'$name'"; done
  answer=$(timeout -s KILL ${HEAR_LIMIT_S} psql -XqAtw -d "$server" -c "
    select string_agg(application_name || '=' || extract(epoch from reply_time), ' ') from pg_stat_replication
     where state = 'streaming' and application_name in (\${list#,})" 2>/dev/null) || return
  answer=" $answer " n=0 least=
  for name in $names; do
    n=$((n + 1))
    reply=\${answer#* "$name"=} before=\${last#* "$name"=}
    if [ "$reply" = "$answer" ]; then eval "from_$n="; least=; break; fi
    if [ "$before" != "$last" ] && [ "\${before%% *}" != "\${reply%% *}" ]; then eval "from_$n=$last_at"; fi
    eval "from=\\$from_$n"
    if [ -z "$from" ]; then least=; break; fi
    if [ "$n" = 1 ] || [ "$from" -lt "$least" ]; then least=$from; fi
  done
  [ -z "$least" ] || heard=$least
  last=$answer last_at=$now
}

while :; do
  at
  news
  printf '%16s .\\n' "$now" 1<> "$dir/seen"
  left=$((ends - now)) pause=0.9
  if [ "$left" -gt 250 ]; then
    heard= last= swept= n=1
    while [ "$n" -lt 32 ]; do eval "from_$n="; n=$((n + 1)); done
    [ "$left" -gt 340 ] || pause=0.3
  elif [ -e "$data/standby.signal" ]; then :
  elif ! find_server; then
    # Sessions can outlive a postmaster that was killed; one that ended cleanly leaves neither them nor its file.
    if [ "$left" -le 0 ] && [ -z "$swept" ] && [ -e "$data/postmaster.pid" ]; then sweep; swept=1; fi
  else
    if [ -n "$heard" ] && [ $((heard + 300 - now)) -gt "$left" ]; then left=$((heard + 300 - now)); fi
    if [ "$left" -le 0 ]; then
      end_server "$@"
      heard= last= pause=0.3
    else
      pause=0.3
      if [ "$left" -lt 10 ]; then pause=0.0$left; elif [ "$left" -lt 30 ]; then pause=0.$left; fi
      if [ "$left" -gt 40 ] && [ "$state" != starting ]; then hear; fi
    fi
  fi
  sleep "$pause"
done
`
