# application: pandas
# version: python3 -c 'import pandas; print(pandas.__version__)'
# needs: python3-pandas
# set: matrix
import io
import sqlite3

import numpy as np
import pandas as pd

rng = np.random.default_rng(7)
frame = pd.DataFrame({"key": rng.integers(0, 50, 20000), "value": rng.random(20000).round(6),
                      "day": pd.date_range("2020-01-01", periods=20000, freq="h"), "name": [f"n{n % 100}" for n in range(20000)]})
print(frame.describe().round(5).to_string())
print(frame.groupby("key")["value"].agg(["count", "sum", "max"]).round(5).head().to_string())
print(frame.set_index("day")["value"].resample("90D").mean().round(5).to_string())
frame.to_csv("frame.csv", index=False)
again = pd.read_csv("frame.csv", parse_dates=["day"])
print(again.equals(frame), again.dtypes.to_string())
print(frame.merge(frame.head(100), on="key").shape, frame.pivot_table("value", "key", "name").shape)
frame.to_pickle("frame.pickle.gz")
print(pd.read_pickle("frame.pickle.gz").equals(frame))
with sqlite3.connect("frame.db") as db:
    frame.to_sql("frame", db)
    print(pd.read_sql("select name, count(*) n from frame group by name order by name limit 3", db).to_string())
print(pd.read_json(io.StringIO(frame.head(3).to_json())).shape)
print(pd.read_csv(io.StringIO("a;b\n1;2\n3;x"), sep=";").to_string())
