# application: Pandoc
# version: pandoc --version
# needs: pandoc unzip
# set: matrix
printf '# T\n\n* a\n* *b*\n\n| x | y |\n|---|---|\n| 1 | 2 |\n' > i.md; pandoc i.md -t html; pandoc i.md -o o.docx && unzip -l o.docx | tail -1 | awk '{print $2}'; pandoc i.md -t latex | md5sum; pandoc o.docx -t plain
