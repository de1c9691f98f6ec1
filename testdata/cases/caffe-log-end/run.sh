#!/bin/sh
. "$(dirname "$(readlink -f "$0")")/../lib/common.sh"
# After the snapshot comes the loss of the weights after 3 updates, and no test: 3 is no multiple of test_interval.
cp "$CASE"/*.prototxt .
dns train --solver solver.prototxt --log caffe > o.txt 2> e.txt || { cat e.txt; bad "does not train"; }
[ "$(grep -c 'Iteration 2 .*loss = ' o.txt)" = 1 ] || bad "iteration 2 twice: $(cat o.txt)"
grep -q 'Iteration 3, loss = ' o.txt || bad "no loss after the last update: $(cat o.txt)"
grep -q 'Iteration 3, Testing' o.txt && bad "a test that is not due"
ok "ends as Caffe does"
