#!/bin/sh
. "$(dirname "$(readlink -f "$0")")/../lib/common.sh"
command -v cc > /dev/null || { echo "needs cc"; exit 0; }
echo 'void sgemm_(void) { for (;;) __asm__ volatile("pause" ::: "memory"); }' > hang.c
cc -shared -fPIC -o hang.so hang.c 2> /dev/null || { echo "needs cc that makes libraries"; exit 0; }
net n.prototxt; solver s.prototxt n.prototxt t 100
DNS_TUI_OPENBLAS=$PWD/hang.so nice -n 19 "$DNS_TUI" train --solver s.prototxt > o.txt 2>&1 & A=$!
i=0; while ! grep -q 'iteration 0 of' o.txt && [ $i -lt 300 ]; do sleep 0.1; i=$((i+1)); done
kill -TERM $A; i=0
while kill -0 $A 2> /dev/null && [ $i -lt 100 ]; do sleep 0.2; kill -TERM $A 2> /dev/null; i=$((i+1)); done
kill -0 $A 2> /dev/null && { kill -9 $A; bad "SIGTERM does not end a run that hangs"; }
wait $A; r=$?; cat o.txt
[ $r = 1 ] && grep -q 'second SIGTERM' o.txt && ok "ended" || bad "status $r"
