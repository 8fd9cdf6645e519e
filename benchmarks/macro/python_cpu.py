# SPDX-License-Identifier: Apache-2.0
total = 0
for i in range(8000000):
    total += i * i % 7
