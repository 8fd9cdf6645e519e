# run: sh
seq 1 20000 > nums
sort -rn nums | head -n 3
wc -l < nums
cut -c1 nums | sort | uniq -c | sort -k2
shuf -i 1-100 --random-source=nums | sort -n | tail -1
split -l 5000 nums part. && ls part.* && cat part.* | cmp - nums && echo same
tac nums | tail -1
md5sum nums; sha256sum < nums
dd if=/dev/zero of=zeros bs=64k count=16 2>/dev/null; stat -c '%s %a %F' zeros
truncate -s 5G sparse; stat -c %s sparse
ln zeros hard; ln -s zeros soft; stat -c '%h %N' zeros soft; rm hard
find . -type f | sort | xargs ls -la | awk '{ print $1, $5, $9 }'
tr -dc a-z < /usr/share/common-licenses/Apache-2.0 | fold -w 50 | head -3
tee copy1 copy2 < nums | tail -1; cmp copy1 copy2 && echo equal
join nums nums | paste - - - | head -2
date -u -d @0 +%F; id -u > /dev/null && echo id
timeout 0.2 sleep 5; echo "timeout $?"
env -i A=1 sh -c 'echo $A'
printf '%s\n' one two three | nl
touch -d '2020-01-02 03:04:05 UTC' stamp; stat -c %Y stamp
test -w / ; mkdir -m 750 m; stat -c %a m; rmdir m
cp -r /usr/share/common-licenses lic && ls lic | wc -l && rm -r lic
nice -n 5 true; df -h . > /dev/null && echo df
realpath soft | sed 's/.*\///'; basename /a/b/c; expr 6 \* 7
