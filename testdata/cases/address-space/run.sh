#!/bin/sh
. "$(dirname "$(readlink -f "$0")")/../lib/common.sh"
net n.prototxt
for kb in 300000 700000 1000000 1300000 1500000 1700000 1900000 2200000 3000000; do
  solver s.prototxt n.prototxt "t$kb" 20
  (ulimit -v $kb && LIMIT=60 dns train --solver s.prototxt) > o.txt 2>&1; r=$?
  echo "$kb KiB: status $r: $(grep -m1 'address space' o.txt)"
  case $r in
  0) ;;
  1) grep -q 'address space is limited' o.txt || bad "$(cat o.txt)" ;;
  *) bad "status $r: $(head -5 o.txt)" ;;
  esac
  grep -q '^goroutine' o.txt && bad "a trace"
done
ok "no hang, no trace"
