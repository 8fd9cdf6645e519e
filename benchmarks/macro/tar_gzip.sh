# SPDX-License-Identifier: Apache-2.0
set -e
dir=$(mktemp -d)
tar -C /usr/include -cf - linux | gzip -1 >"$dir/a.tar.gz"
mkdir "$dir/out"
tar -C "$dir/out" -xzf "$dir/a.tar.gz"
rm -r "$dir"
