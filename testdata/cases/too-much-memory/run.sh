#!/bin/sh
. "$(dirname "$(readlink -f "$0")")/../lib/common.sh"
net n.prototxt; sed 's/num_output: 16/num_output: 2000000000/; s/dim: 20/dim: 100000/' n.prototxt > m.prototxt; solver s.prototxt m.prototxt t 5
dns train --solver s.prototxt > o.txt 2>&1; r=$?; head -3 o.txt
[ $r = 1 ] && grep -q 'layer "ip1".* of memory wanted' o.txt || bad "status $r"
# A bitmap of 54 bytes that says 60,000 x 60,000.
printf 'BM\066\000\000\000\000\000\000\000\066\000\000\000\050\000\000\000\140\352\000\000\140\352\000\000\001\000\030\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000\000' > a.bmp
echo 'a.bmp 0' > list.txt
dns dataset images . list.txt out > o.txt 2>&1; r=$?; cat o.txt
[ $r = 1 ] && grep -q 'a.bmp.*60000x60000' o.txt || bad "status $r"
ok "named"
