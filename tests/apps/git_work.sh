# run: sh
# needs: git
export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z' GIT_CONFIG_NOSYSTEM=1 HOME=$PWD
git config --global user.name Guest; git config --global user.email guest@example.org
git init -q -b main repo && cd repo
for n in 1 2 3 4 5; do seq 1 $((n * 100)) > "file$n"; git add . && git commit -q -m "commit $n"; done
git log --oneline
git checkout -q -b side HEAD~2 && echo side > side && git add side && git commit -q -m side
git checkout -q main && git merge -q -m merge side && git log --graph --oneline | head -4
cd .. && git clone -q repo copy && cd copy && git log --format='%h %s' | head -2 && git status --short
git mv file1 renamed && git commit -q -am rename && git diff --stat HEAD~1 | tail -1
git gc -q 2>/dev/null; git fsck 2>/dev/null; git rev-parse HEAD
git stash list; echo change >> file2; git stash -q; git stash pop -q && git diff --stat | tail -1
