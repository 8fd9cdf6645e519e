# application: Dovecot
# version: dovecot --version
# needs: dovecot-imapd
# set: matrix
# A mailbox by IMAP; each process has its own user.
# A free port among the upper ones.
port=$(($(od -An -N2 -tu2 /dev/urandom) % 20000 + 10000))
mkdir -p mail/u run; chmod -R 777 .
cat > d.conf <<C
base_dir = $PWD/run
log_path = $PWD/log
protocols = imap
ssl = no
mail_location = maildir:$PWD/mail/%u
listen = 127.0.0.1
service imap-login {
  inet_listener imap {
    port = $port
  }
  inet_listener imaps {
    port = 0
  }
}
default_login_user = nobody
default_internal_user = nobody
default_internal_group = nogroup
disable_plaintext_auth = no
passdb {
  driver = static
  args = password=pw
}
userdb {
  driver = static
  args = uid=65534 gid=65534 home=$PWD/mail/u
}
first_valid_uid = 1
C
dovecot -F -c d.conf & p=$!
for i in $(seq 50); do python3 -c "import socket; socket.create_connection(('127.0.0.1',int('$port')))" 2>/dev/null && break; sleep 0.1; done
python3 - $port <<'P'
import imaplib, sys
m=imaplib.IMAP4("127.0.0.1",int(sys.argv[1])); print(m.login("u","pw")[0]); print(m.create("box")[0]); print(m.append("INBOX",None,None,b"Subject: s\r\n\r\nbody\r\n")[0]); print(m.select("INBOX")); print(m.search(None,"SUBJECT","s")); print(m.fetch("1","(BODY[TEXT])")[1][0][1]); print(m.list()[1]); m.logout()
P
kill $p; wait $p; echo $?
