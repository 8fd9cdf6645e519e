# application: tar, gzip, xz, zstd, zip
# version: tar --version
# needs: tar gzip bzip2 xz-utils zstd
# input: tree
export TZ=UTC; seq 300000 > big; cp big tree/big
tar --sort=name --mtime=@0 --owner=0 --group=0 -cf a.tar tree && sha256sum < a.tar; tar tvf a.tar | wc -l
for z in gzip bzip2 xz zstd; do tar -I $z -cf a.tar.$z tree && mkdir out && tar -xf a.tar.$z -C out && diff -r --no-dereference tree out/tree && echo "$z same"; rm -r out; done
xz -T4 -k big && xz -t big.xz && xz -dc big.xz | cmp - big && echo xz; zstd -q -T4 big -o big.zst && zstd -dqc big.zst | cmp - big && echo zstd
gzip -k9 big && zcat big.gz | sha256sum; split -b 100k big part. && cat part.* | cmp - big && echo split
truncate -s 50M sparse && tar -S -cf s.tar sparse && stat -c %s s.tar && mkdir out && tar -xf s.tar -C out && stat -c %s out/sparse
tar -cf - tree | tar -xf - -C out && find out/tree | wc -l; touch -d @1000000 tree/file; tar -uf a.tar tree/file; tar --delete -f a.tar tree/big; tar tf a.tar | wc -l
tar -cf i.tar -g snap tree 2> /dev/null; echo new > tree/new; tar -cf i2.tar -g snap tree; tar tf i2.tar | grep -c new; find tree -print0 | cpio -o0 -H newc 2> /dev/null | wc -c > /dev/null; tar xf nowhere.tar 2>&1; echo "exit $?"
