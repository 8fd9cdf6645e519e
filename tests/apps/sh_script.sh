# run: bash
set -u
declare -A count
while read -r word; do count[$word]=$((${count[$word]:-0} + 1)); done < <(printf '%s\n' a b a c b a)
for k in a b c; do echo "$k ${count[$k]}"; done
# before the traps: a child that is killed before its exec would run them
sleep 5 & bg=$!
kill $bg
wait $bg 2>/dev/null; echo "waited $?"
trap 'echo exiting' EXIT
trap 'echo usr1' USR1
kill -USR1 $$
f() { local x=$1; ((x > 0)) && { echo "$x"; f $((x - 1)); }; return 0; }
f 3
cat <<< "here string" | tr a-z A-Z
(exit 5); echo "status $?"
mkdir -p d/e && cd d/e && pwd | sed 's/.*\(d\/e\)/\1/' && cd ../..
exec 5>out.txt; echo to-fd-5 >&5; exec 5>&-
cat out.txt
mkfifo p; (echo through-fifo > p &) ; cat p
x=$(for i in 1 2 3; do echo -n "$i"; done); echo "$x"
[[ -f out.txt && ! -e nope ]] && echo tests
shopt -s nullglob; echo *.nomatch end
echo "pipe status: $(false | true; echo "${PIPESTATUS[@]}")"
exit 9
