# application: PostgreSQL
# version: $(ls /usr/lib/postgresql/*/bin/postgres | sort -V | tail -1) --version
# needs: postgresql postgresql-contrib
# set: matrix
# user: nobody
# A server in the working directory, on a Unix socket only; it refuses to run as root.
PATH=$(ls -d /usr/lib/postgresql/*/bin | sort -V | tail -1):$PATH
export PGDATA=$PWD/data PGHOST=$PWD PGUSER=guest PGDATABASE=postgres HOME=$PWD
trap 'pg_ctl stop -s -m immediate 2> /dev/null' EXIT
initdb -U guest -A trust --no-locale -E UTF8 > initdb.log; echo "initdb $?"
cat >> data/postgresql.conf <<C
listen_addresses = ''
unix_socket_directories = '$PWD'
fsync = on
shared_buffers = 32MB
max_connections = 30
C
pg_ctl start -s -w -l server.log; echo "start $?"
psql -qAt <<'Q' | sed 's/PID [0-9]*/PID/'
create table t (id serial primary key, name text unique, n int);
insert into t (name, n) select 'name ' || i, i % 17 from generate_series(1, 20000) i;
create index on t (n);
analyze t;
select count(*), sum(n), min(name) from t;
select n, count(*) from t group by n order by n limit 3;
explain (costs off) select * from t where name = 'name 7';
begin; delete from t; rollback;
select count(*) from t where name like '%99%';
insert into t (name) values ('name 1');
create function twice(x int) returns int language plpgsql as 'begin return 2 * x; end';
select twice(21), md5('postgres'), to_char(timestamp '2020-02-29 12:00', 'Day DD Mon');
set max_parallel_workers_per_gather = 2; set parallel_setup_cost = 0; set min_parallel_table_scan_size = 0;
select sum(length(name)) from t;
listen ch; notify ch, 'payload';
copy (select * from t where id <= 3) to stdout with csv header;
vacuum full t;
checkpoint;
Q
psql -qAt -c "select pg_sleep(0.01) is null" -c "set statement_timeout = 50" -c "select pg_sleep(10)" 2>&1
pgbench -q -i -s 1 2> /dev/null; echo "pgbench -i $?"
pgbench -n -c 8 -j 4 -t 50 2> pgbench.err | grep -E 'actually processed|failed'
psql -qAt -c 'select count(*), sum(delta) = (select sum(abalance) from pgbench_accounts) from pgbench_history'
pg_dump -t t --data-only | grep -c name; echo "dump $?"
pg_ctl restart -s -w -l server.log -m fast; echo "restart $?"
psql -qAt -c 'select count(*) from t'
kill -9 "$(head -1 data/postmaster.pid)"; sleep 0.5; rm -f data/postmaster.pid .s.PGSQL*
for n in $(seq 100); do pg_ctl start -s -w -l server.log 2> /dev/null && break; sleep 0.1; done; echo "recovery $?"
psql -qAt -c 'select count(*) from t' -c 'select count(*) from pgbench_history'
pg_ctl stop -s -m fast; echo "stop $?"
pg_checksums --check 2>&1 | tail -1; pg_controldata | grep state
