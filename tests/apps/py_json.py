# input: big.json
import hashlib
import json

with open("big.json") as f:
    data = json.load(f)
total = sum(row["value"] for row in data["rows"])
names = {row["name"] for row in data["rows"]}
text = json.dumps(data, sort_keys=True)
print(len(data["rows"]), total, len(names), hashlib.sha256(text.encode()).hexdigest())
with open("out.json", "w") as f:
    json.dump(data["rows"][::100], f, indent=1)
with open("out.json") as f:
    print(len(f.read()), len(json.load(open("out.json"))))
