# application: GnuPG
# version: gpg --version
# needs: gnupg
# set: matrix
# Keys, signatures and a message, by its agents.
export GNUPGHOME=$PWD/g; mkdir -m 700 g
gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-gen-key 'T <t@x>' future-default default never 2>/dev/null; echo $?
gpg --batch --quiet --pinentry-mode loopback --passphrase '' --quick-gen-key 'R <r@x>' rsa2048 encr never 2>/dev/null; echo $?
echo text > f; gpg --batch -q -u t@x --sign f; gpg -q --verify f.gpg 2>&1 | grep -o 'Good signature.*'
gpg --batch -q -r r@x --trust-model always -e -o f.enc f; gpg --batch -q -d f.enc; gpg -k --with-colons | grep -c '^pub'
gpgconf --kill all; echo $?
