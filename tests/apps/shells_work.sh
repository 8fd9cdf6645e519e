# application: bash, coreutils
# version: bash --version
# run: bash
# needs: bash dash
export HOME=$PWD
cat > common.sh <<'S'
f() { echo "f $1 $#"; return 3; }
f a b; echo $?
x=$(echo sub; exit 4); echo "$x $?"
seq 1000 | while read n; do [ $n = 500 ] && echo $n; done
for n in 1 2 3; do (sleep 0.$n; echo bg $n) & done; wait
trap 'echo exiting' EXIT; trap 'echo usr' USR1; kill -USR1 $$; trap 'echo term' TERM; (kill -TERM $$; :) & wait; sleep 0.05
cat <<E | tr a-z A-Z
here $((6 * 7)) ${x#s}
E
exec 3> out; echo three >&3; exec 3>&-; cat out
set -- a b c; shift; echo "$@"; case $1 in b) echo b;; esac
ulimit -n > /dev/null && echo limit; umask 027; touch made; ls -l made | cut -c 1-10
(exit 7) || echo "or $?"; ! false && echo not; (sh -c 'kill -9 $$'; exit $?) 2> /dev/null; echo "killed $?"
cd /; cd - > /dev/null; [ -f made ] && echo test; yes | head -3; mkfifo p; echo fifo > p & read line < p; echo $line; nosuchcommand 2> /dev/null; echo $?
S
for shell in dash bash "bash --posix"; do mkdir d && cd d && $shell ../common.sh 2> /dev/null; echo "exit $?"; cd .. && rm -r d; done
mapfile -t lines < <(seq 5); echo "${lines[@]}" "${#lines[@]}"; declare -A map=([a]=1 [b]=2); echo "${map[b]}"
coproc cat; echo co >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; echo "$line"; kill $COPROC_PID; wait $COPROC_PID 2> /dev/null; echo $?
set -o pipefail; false | true; echo $?; shopt -s globstar extglob; mkdir -p a/b/c; touch a/b/c/x; echo **/x; [[ abc =~ b(.) ]] && echo "${BASH_REMATCH[1]}"
printf '%s\n' {1..3}{a,b} | paste -sd,; read -t 0.05 line < <(sleep 1); echo $(($? > 128)); time -p true 2> /dev/null; diff <(seq 3) <(seq 4); bash -ic 'jobs; echo interactive' 2> /dev/null
