# SPDX-License-Identifier: Apache-2.0
# One file of a few hundred lines, optimised and linked.
set -e
dir=$(mktemp -d)
gcc -O2 -D_GNU_SOURCE -o "$dir/floor" floor.c -lpthread
rm -r "$dir"
