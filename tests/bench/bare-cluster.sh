#!/usr/bin/env bash
# Makes by hand the PostgreSQL cluster that a deploy makes: the first node is the primary, all others stream from it.
#
#   bare-cluster.sh up|down FOLDER ADDRESS…
#
# FOLDER/1, FOLDER/2, … belong to whoever runs this and hold tls/server.pem (certificate and key, for the name
# node-<n>) and tls/ca.crt. The programs of PostgreSQL are in PATH. The settings are those of the instance size `nano`.
set -euo pipefail
verb=$1 folder=$2
shift 2
port=5432
size=$#
umask 077

sql() { psql --no-psqlrc --quiet --no-align --tuples-only --set=ON_ERROR_STOP=1 --dbname \
  "host=$folder/1 port=$port user=postgres dbname=postgres"; }
password() { head -c 24 /dev/urandom | base64 | tr '+/' '-_'; }
from_primary() { echo "host=node-1 hostaddr=$primary port=$port user=replicator passfile=$folder/$1/pgpass \
sslmode=verify-full sslrootcert=$folder/$1/tls/ca.crt application_name=node_$1"; }

configure() {
  local n=$1 address=$2
  cat > "$folder/$n/postgresql.conf" <<CONF
data_directory = '$folder/$n/data'
hba_file = '$folder/$n/pg_hba.conf'
listen_addresses = '$address'
port = $port
unix_socket_directories = '$folder/$n'
ssl = on
ssl_cert_file = '$folder/$n/tls/server.pem'
ssl_key_file = '$folder/$n/tls/server.pem'
ssl_min_protocol_version = 'TLSv1.2'
password_encryption = 'scram-sha-256'
wal_level = replica
wal_log_hints = on
max_wal_senders = 20
max_replication_slots = 20
max_connections = 100
shared_buffers = 64MB
effective_cache_size = 192MB
work_mem = 2MB
maintenance_work_mem = 16MB
wal_keep_size = 64MB
max_wal_size = 256MB
CONF
  {
    echo 'local all postgres peer map=machine'
    echo 'hostssl replication,postgres replicator samehost scram-sha-256'
    echo 'host all,replication postgres,replicator all reject'
    echo 'hostssl all all all scram-sha-256'
  } > "$folder/$n/pg_hba.conf"
  echo "machine $(id -un) postgres" > "$folder/$n/pg_ident.conf"
  echo "ident_file = '$folder/$n/pg_ident.conf'" >> "$folder/$n/postgresql.conf"
}

start() {
  pg_ctl start --silent --no-wait -D "$folder/$1/data" -l "$folder/$1/log" \
    -o "-c config_file=$folder/$1/postgresql.conf"
  until pg_isready --quiet --host "$folder/$1" --port $port; do sleep 0.02; done
}

make_primary() {
  initdb --pgdata "$folder/1/data" --username postgres --auth=reject --data-checksums --encoding=UTF8 \
    --locale=C.UTF-8 --no-instructions > "$folder/1/initdb.log"
  start 1
  {
    echo "alter role postgres password '$(password)';"
    echo "create role replicator login replication password '$replication_password';"
    echo 'grant pg_monitor to replicator;'
    echo "create role ccxadmin login createrole createdb password '$(password)';"
    echo 'create database ccxdb owner ccxadmin;'
    for ((n = 2; n <= size; n++)); do echo "select pg_create_physical_replication_slot('node_$n');"; done
  } | sql > "$folder/1/setup.log"
}

make_replica() {
  local n=$1
  echo "*:*:*:replicator:$replication_password" > "$folder/$n/pgpass"
  pg_basebackup --dbname "$(from_primary "$n")" --pgdata "$folder/$n/data" --slot "node_$n" --wal-method=stream \
    --checkpoint=fast --no-manifest --no-password
  {
    echo "primary_conninfo = '$(from_primary "$n")'"
    echo "primary_slot_name = 'node_$n'"
  } >> "$folder/$n/postgresql.conf"
  : > "$folder/$n/data/standby.signal"
  start "$n"
}

up() {
  primary=$1
  replication_password=$(password)
  local n=0 address
  for address in "$@"; do configure $((++n)) "$address"; done
  make_primary
  local replicas=()
  for ((n = 2; n <= size; n++)); do make_replica $n & replicas+=($!); done
  for n in ${replicas[@]+"${replicas[@]}"}; do wait "$n"; done
  local streaming="select count(*) from pg_stat_replication
                    where state = 'streaming' and application_name like 'node\\_%'"
  until [ "$(echo "$streaming" | sql)" = $((size - 1)) ]; do sleep 0.02; done
}

down() {
  for ((n = 1; n <= size; n++)); do
    [ ! -f "$folder/$n/data/postmaster.pid" ] || pg_ctl stop --silent --mode=immediate -D "$folder/$n/data"
  done
}

"$verb" "$@"
