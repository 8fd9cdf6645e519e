# application: MariaDB
# version: mariadbd --version
# needs: mariadb-server-core mariadb-client-core
# set: matrix
# user: nobody
# A server on a Unix socket in the working directory.
mkdir db
sql() { mariadb --no-defaults -S "$PWD/m.sock" -u root -N "$@"; }
mariadb-install-db --no-defaults --datadir=$PWD/db --auth-root-authentication-method=normal --basedir=/usr > install.log 2>&1; echo "install $?"
mariadbd --no-defaults --datadir=$PWD/db --socket=$PWD/m.sock --skip-networking --innodb-buffer-pool-size=64M --pid-file=$PWD/pid > m.log 2>&1 & p=$!
for n in $(seq 100); do sql -e 'select 1' > /dev/null 2>&1 && break; sleep 0.1; done
trap 'kill $p 2> /dev/null' EXIT
sql <<Q
create database d; use d; create table t (id int primary key auto_increment, s varchar(100), key (s)) engine=innodb;
insert into t (s) select concat('row ', seq) from seq_1_to_20000; select count(*), max(s) from t; select count(*) from t where s like 'row 1%';
start transaction; delete from t; rollback; select count(*) from t; alter table t add n int; update t set n = id % 7; select n, count(*) from t group by n;
Q
sql -e shutdown; wait $p; echo "exit $?"
