# SPDX-License-Identifier: Apache-2.0
for i in 1 2 3 4 5; do
	seq 20000 | grep 7 | sort -r | wc -l
done
