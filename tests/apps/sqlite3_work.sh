# application: sqlite3
# version: sqlite3 --version
# needs: sqlite3
cat > fill.sql <<'Q'
.timeout 20000
create table if not exists t (id integer primary key, name text, n real);
with recursive c(i) as (select 1 union all select i + 1 from c where i < 5000) insert into t (name, n) select 'row ' || i, i / 7.0 from c;
Q
for mode in delete truncate persist memory wal; do
	db=$mode.db
	sqlite3 $db "pragma journal_mode = $mode; pragma mmap_size = 1000000;"
	sqlite3 $db < fill.sql; sqlite3 $db 'create index i on t (name); analyze;'
	for n in 1 2 3; do sqlite3 $db < fill.sql & done; wait
	sqlite3 $db 'select count(*), round(sum(n), 3), max(name) from t; pragma integrity_check; begin; delete from t where id % 2; rollback; select count(*) from t;'
done
sqlite3 wal.db 'pragma wal_checkpoint(truncate); vacuum into "copy.db";'; sqlite3 copy.db '.dump t' | md5sum
sqlite3 wal.db '.backup other.db'; sqlite3 other.db 'select count(*) from t'; sqlite3 -csv wal.db 'select * from t limit 3'
sqlite3 nowhere/x.db 'select 1' 2>&1; echo "exit $?"
(sqlite3 delete.db '.timeout 1' 'begin exclusive' '.shell sleep 0.5' 'commit' &) ; sleep 0.2; sqlite3 delete.db 'insert into t values (1, 2, 3)' 2>&1; echo "exit $?"
sqlite3 :memory: "create virtual table f using fts5(x); insert into f values ('the quick brown fox'); select * from f where f match 'quick'; select json_extract('{\"a\": [1, 2]}', '\$.a[1]'), sqlite_version() > '3';"
