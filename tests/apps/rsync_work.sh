# application: rsync
# version: rsync --version
# needs: rsync
# set: matrix
# input: tree
umask 022; mkfifo tree/pipe 2> /dev/null
rsync -aH --delete tree/ copy/ && diff -r --no-dereference tree copy > /dev/null 2>&1; rm -f tree/pipe copy/pipe; diff -r --no-dereference tree copy && echo same
seq 200000 > tree/big; echo more >> tree/file; rm tree/x; rsync -aHiO --delete tree/ copy/ | sed "s/t....../......./" | sort
sed -i 's/^100000$/changed/' tree/big; rsync -a --no-whole-file --stats tree/ copy/ | grep -E 'Literal|Matched|transferred:'; cmp tree/big copy/big && echo big
rsync -an --checksum tree/ copy/ | wc -l; rsync -a --link-dest="$PWD/copy" tree/ linked/; stat -c %h copy/big; rsync -a --exclude 'a*' --include '*/' tree/ some/; find some | sort | head -20
truncate -s 20M tree/sparse; rsync -aS tree/ copy/; stat -c '%s' copy/sparse; rsync -a --inplace --bwlimit=100000 tree/big copy/; rsync nowhere/ copy/ 2> /dev/null; echo "exit $?"
printf 'shift\neval "$*"\n' > shell; rsync -az --rsh='sh shell' tree/ host:"$PWD/remote"; diff -r --no-dereference tree remote && echo remote
