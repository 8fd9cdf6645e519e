# Functions for stress_*.sh: one worker of each stressor for a second, four stressors at a time.
seconds=${STRESS_SECONDS:-1}

# run NAME: 124 or 137 when it hangs
run() {
	case $1 in
	hdd | iomix | seek | readahead | aiol) sizes="--$1-bytes 16m" ;;
	prefetch) sizes="--prefetch-l3-size 4m" ;;
	*) sizes= ;;
	esac
	timeout -k 2 60 stress-ng --quiet --temp-path . --timeout "$seconds" --"$1" 1 $sizes > "log.$1" 2>&1
	code=$?
	until echo "$code" 2> /dev/null > "code.$1"; do sleep 0.1; done
}

# each FUNCTION NAME...: runs them all, then FUNCTION NAME CODE for each in turn
each() {
	report=$1
	shift
	while [ $# -gt 0 ]; do
		names=
		for n in 1 2 3 4; do
			[ $# -gt 0 ] || break
			run "$1" &
			names="$names $1"
			shift
		done
		wait
		for name in $names; do
			$report "$name" "$(cat "code.$name")"
		done
	done
}

report_same() {
	echo "$1: $2"
	grep -E 'fail|error' "log.$1" | head -5 | sed "s/^/$1: /" >&2
}

report_survivor() {
	[ "$2" = 0 ] || echo "$1: $2" >&2
}

# same NAME...: how it ends must be as natively. 0 is also for a stressor that finds that it may not.
same() {
	each report_same "$@"
}

# survive NAME...: what is hostile, or needs what the sandbox has not. Only in the sandbox, which must go on.
survive() {
	case $(uname -r) in
	*-sentry) each report_survivor "$@" ;;
	esac
	echo "alive: $(seq 1000 | wc -l)"
}
