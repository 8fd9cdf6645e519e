# application: git
# version: git --version
# needs: git
# set: matrix
export GIT_AUTHOR_DATE='2020-01-01T00:00:00Z' GIT_COMMITTER_DATE='2020-01-01T00:00:00Z' GIT_CONFIG_NOSYSTEM=1 HOME=$PWD
git config --global user.name Guest; git config --global user.email guest@example.org; git config --global gc.auto 0
git config --global protocol.file.allow always; git config --global safe.directory '*'
git init -q -b main one && cd one
for n in $(seq 60); do seq $n $((n + 300)) > "f$((n % 7))"; mkdir -p d$((n % 5)); echo $n > d$((n % 5))/g$n; git add -A; git commit -q -m "commit $n"; done
git checkout -q -b side HEAD~20; for n in 1 2 3; do echo $n > side$n; git add -A; git commit -q -m "side $n"; done
git rebase -q main && git log --oneline | head -4
echo conflict > f0 && git commit -qam conflict && git checkout -q -b other HEAD~1 && echo other > f0 && git commit -qam other
git rebase side > /dev/null 2>&1; echo "rebase $?"; git status --short; echo both > f0; git add f0; GIT_EDITOR=true git rebase --continue > /dev/null; git log --format=%s | head -2
git cherry-pick main~3 > /dev/null 2>&1; echo "pick $?"; git cherry-pick --abort; git reset -q --hard main
git repack -adq && git gc -q --prune=now && git fsck --full --strict && git count-objects -v | grep -E '^(count|in-pack|packs)'
cd .. && git clone -q --bare one bare.git && git clone -q bare.git two && git clone -q --no-hardlinks --depth 3 "file://$PWD/bare.git" shallow && git -C shallow rev-list --count HEAD
cd two && echo pushed > pushed && git add . && git commit -q -m pushed && git push -q origin HEAD:main && git -C ../bare.git log --format=%s main | head -1
git worktree add -q ../tree HEAD~2 && git worktree list | wc -l && git submodule -q add "$PWD/../bare.git" sub && git status --short
git bisect start HEAD HEAD~40 > /dev/null && git bisect run sh -c 'test ! -e d0/g45' | grep 'is the first'; git bisect reset > /dev/null 2>&1
git grep -c 299 | head -3; git blame -s f3 | head -2; git archive HEAD | tar t | wc -l; git bundle create -q ../b HEAD && git bundle verify -q ../b 2>&1 | tail -1
git diff --stat HEAD~30 | tail -1; git log -S45 --oneline -- d0 | head -2; git stash list; git tag -a v1 -m one && git describe
printf '#!/bin/sh\nexit 1\n' > .git/hooks/pre-commit; chmod +x .git/hooks/pre-commit; git commit -q --allow-empty -m no; echo "hook $?"
