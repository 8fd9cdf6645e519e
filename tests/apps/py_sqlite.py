import sqlite3
import threading

db = sqlite3.connect("test.db", timeout=30)
db.execute("pragma journal_mode=wal")
db.execute("create table t (id integer primary key, worker int, value text)")
db.commit()


def work(worker):
    mine = sqlite3.connect("test.db", timeout=30, isolation_level=None)
    for i in range(100):
        mine.execute("begin immediate")
        mine.execute("insert into t (worker, value) values (?, ?)", (worker, "v%d" % i))
        mine.execute("commit")
    mine.close()


threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
for t in threads:
    t.start()
for t in threads:
    t.join()
print(db.execute("select worker, count(*), min(value), max(value) from t group by worker order by worker").fetchall())
db.execute("create index i on t (value)")
print(db.execute("select count(distinct value) from t").fetchone())
print(db.execute("pragma integrity_check").fetchone())
db.execute("vacuum")
db.close()
