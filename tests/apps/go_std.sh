# application: Go standard library's tests
# version: go version
# needs: golang-go golang-src
# set: matrix
# options: --memory 4g --pids-limit 2000 --ulimit nofile=65536
# timeout: 900
# The tests of the packages next to the kernel; the outcome of each counts. Left out: what one of the sides skips (a TUN
# device, namespaces that the host does not give to everybody).
export HOME=$PWD GOCACHE=$PWD/cache CGO_ENABLED=0
std=$(go env GOROOT)/src
for package in os os/exec os/signal syscall net net/http net/rpc io/fs io/ioutil path/filepath internal/poll os/user sync \
	runtime context archive/tar log/syslog; do
	(cd "$std/$package" && go test -c -o "$HOME/one.test" "$package" && "$HOME/one.test" -test.v -test.short -test.timeout 300s \
		</dev/null 2>/dev/null) | grep -oE "^ *--- (PASS|FAIL): [^ ]+" |
		grep -v -e TestUnshare -e ErrNotPollable -e TestExtraFiles | sed 's/^ *--- //' | sort >"results"
	echo "$package: $(grep -c PASS results) passed"
	cat results
done
