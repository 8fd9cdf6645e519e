# SPDX-License-Identifier: Apache-2.0
import os
import sqlite3
import tempfile

with tempfile.TemporaryDirectory() as directory:
    db = sqlite3.connect(os.path.join(directory, "bench.db"))
    db.execute("create table t (a integer primary key, b text)")
    for i in range(200):
        db.execute("insert into t values (?, ?)", (i, str(i)))
        db.commit()
    db.executemany("insert into t values (?, ?)", ((i, str(i)) for i in range(200, 50000)))
    db.commit()
    assert db.execute("select count(*) from t where b like '%7%'").fetchone()[0] > 0
