#!/bin/sh
. "$(dirname "$(readlink -f "$0")")/../lib/common.sh"
# Two losses of one name, and a net whose layers have none: Caffe trains them.
cp "$CASE"/*.prototxt .
dns train --solver solver.prototxt > o.txt 2>&1 || bad "does not train: $(cat o.txt)"
[ -s out_iter_3.caffemodel ] || bad "no weights after 3 iterations"
dns inspect net.prototxt > o.txt 2>&1 && grep -q '^ *cost#2 ' o.txt || bad "the two are not told apart: $(cat o.txt)"
dns inspect nameless.prototxt > o.txt 2>&1 && grep -q '3 layers' o.txt && grep -q '^8 parameters' o.txt || bad "$(cat o.txt)"
dns test --model net.prototxt --weights out_iter_3.caffemodel --iterations 1 > o.txt 2>&1 || bad "$(cat o.txt)"
dns train --solver solver.prototxt --snapshot out_iter_3.solverstate > o.txt 2>&1 || bad "does not go on: $(cat o.txt)"
ok "trained, inspected, tested, gone on with"
