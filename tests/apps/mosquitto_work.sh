# application: Mosquitto
# version: mosquitto -h
# needs: mosquitto mosquitto-clients
# set: matrix
# Retained messages of the three qualities of service.
# A free port among the upper ones.
port=$(($(od -An -N2 -tu2 /dev/urandom) % 20000 + 10000))
cat > m.conf <<C
listener $port 127.0.0.1
allow_anonymous true
C
mosquitto -c m.conf >/dev/null 2>&1 & p=$!
for i in $(seq 100); do mosquitto_pub -p $port -t r -r -m ready 2>/dev/null && break; sleep 0.1; done
mosquitto_sub -p $port -t r -C 1; mosquitto_sub -p $port -t 'a/#' -C 3 -v > got & s=$!
mosquitto_pub -p $port -t a/1 -r -m one; mosquitto_pub -p $port -q 2 -r -t a/2 -m two;  mosquitto_pub -p $port -q 1 -r -t a/3 -m three
wait $s; sort got; kill $p; wait $p; echo $?
