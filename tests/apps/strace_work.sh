# application: strace
# version: strace --version
# needs: strace
# set: matrix
echo text > file
strace -a 1 -qq -e trace=openat,close -e signal=none -P file cat file 2>&1
strace -f -qq -o out sh -c 'cat file | tr a-z A-Z; (exit 3); kill -TERM $$'; echo "exit $?"
grep -cE 'execve\("/' out; grep -oE '(exited with [0-9]+|killed by SIG[A-Z]+)' out | sort
strace -c -o counts -e trace=read,write cat file; awk '/write|read/ {print $NF}' counts | sort
strace -qq -e trace=%process -e inject=exit_group:retval=0 true 2>&1 | grep -oE '^(execve|exit_group)'
strace -qq -e inject=openat:error=EACCES:when=3+ cat file 2>&1 | grep -c 'INJECTED'
strace -a 1 -qq -e trace=kill,rt_sigreturn -e signal=USR1 sh -c 'trap "echo trapped" USR1; kill -USR1 $$' 2>&1 | sed -E 's/[0-9]+/N/g'
sleep 1 & p=$!; sleep 0.1; timeout -s INT 0.5 strace -qq -p $p -o attached; wait $p; echo "attached $?"
strace -ff -o per sh -c 'true & true & wait' && ls per.* | wc -l
strace -a 1 -k -qq -e trace=exit_group true 2>&1 | head -1
