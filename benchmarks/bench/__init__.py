# SPDX-License-Identifier: Apache-2.0
"""What benchmarks/run is made of.

systems   what is measured: native, the platforms of sentry, peers
stats     medians, spreads, paired ratios
results   the figures of a run, as JSON
micro     runs the micro benchmarks           macro    runs the whole programs, with their CPU time
sandbox   memory, idle CPU, many at once      floor    what the machine allows
targets   which figures are to be reached     compare  what got slower since another run
table     prints figures                      plot     draws them        document  writes docs/benchmarks.md
"""
