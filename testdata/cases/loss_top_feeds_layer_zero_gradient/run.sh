#!/bin/sh
. "$(dirname "$(readlink -f "$0")")/../lib/common.sh"
# Caffe's losses at iterations 0, 10 and 20 are 0.603, 0.035 and 0.017.
cp "$CASE"/*.prototxt .
dns train --solver solver.prototxt > o.txt 2>&1; cat o.txt
grep -q 'iteration 0  loss 0.603' o.txt && grep -q 'iteration 10  loss 0.035' o.txt && grep -q 'iteration 20  loss 0.017' o.txt && ok "Caffe's losses" || bad "no gradient through the loss"
