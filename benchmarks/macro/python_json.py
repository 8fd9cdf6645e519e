# SPDX-License-Identifier: Apache-2.0
import json

data = [{"a": i, "b": str(i), "c": [i, i / 2, None]} for i in range(60000)]
for _ in range(3):
    assert len(json.loads(json.dumps(data))) == len(data)
