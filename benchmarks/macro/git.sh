# SPDX-License-Identifier: Apache-2.0
set -e
dir=$(mktemp -d)
cd "$dir"
export GIT_AUTHOR_NAME=b GIT_AUTHOR_EMAIL=b@b GIT_COMMITTER_NAME=b GIT_COMMITTER_EMAIL=b@b
git init -q .
for i in $(seq 40); do echo "file $i" >"$i.txt"; done
git add .
git commit -q -m one
git status --short
rm -rf "$dir"
