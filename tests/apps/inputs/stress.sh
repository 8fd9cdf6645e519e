# Functions for stress_*.sh: one worker of each stressor for a second.
seconds=${STRESS_SECONDS:-1}

# run NAME: 124 or 137 when it hangs
run() {
	case $1 in
	hdd | iomix | seek | readahead | aiol) sizes="--$1-bytes 16m" ;;
	prefetch) sizes="--prefetch-l3-size 4m" ;;
	*) sizes= ;;
	esac
	timeout -k 2 60 stress-ng --quiet --temp-path . --timeout "$seconds" --"$1" 1 $sizes > log 2>&1
}

# same NAME...: how it ends must be as natively. 0 is also for a stressor that finds that it may not.
same() {
	for name; do
		run "$name"
		echo "$name: $?"
		grep -E 'fail|error' log | head -5 | sed "s/^/$name: /" >&2
	done
}

# survive NAME...: what is hostile, or needs what the sandbox has not. Only in the sandbox, which must go on.
survive() {
	case $(uname -r) in
	*-sentry)
		for name; do
			run "$name" || echo "$name: $?" >&2
		done
		;;
	esac
	echo "alive: $(seq 1000 | wc -l)"
}
