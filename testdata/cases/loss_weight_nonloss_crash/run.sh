#!/bin/sh
. "$(dirname "$(readlink -f "$0")")/../lib/common.sh"
# A loss_weight on a Reduction trains; in Caffe the loss falls from 1.78 to 0.98 in 5 iterations.
cp "$CASE"/*.prototxt .
dns train --solver solver.prototxt > o.txt 2>&1 && grep -q 'iteration 4  loss' o.txt || { cat o.txt; bad "does not train"; }
dns time --model net.prototxt --iterations 1 > o.txt 2>&1 || { cat o.txt; bad "time fails"; }
ok "trains"
