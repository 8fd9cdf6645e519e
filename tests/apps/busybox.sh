# run: sh
# version: busybox | head -1
# needs: busybox-static
busybox sh -c 'echo hello | busybox sed s/h/j/; busybox seq 5 | busybox awk "{s+=\$1} END {print s}"; busybox ls / > /dev/null && echo ok'
busybox sh -c 'for i in 1 2 3; do busybox echo $i & wait; done'
