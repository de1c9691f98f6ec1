#!/bin/sh
. "$(dirname "$(readlink -f "$0")")/../lib/common.sh"
# A mask of 6 entries 0.97 and 18 below 2e-4: inspect, test, train and export agree on 6 weights, and say so.
cp "$CASE"/net.prototxt "$CASE"/w.caffemodel .
dns inspect w.caffemodel > o.txt 2>&1; cat o.txt
grep -q '^ *fc .* 24 *6 ' o.txt && grep -q 'not 0 and 1' o.txt || bad "inspect"
dns export w.caffemodel x.caffemodel > o.txt 2>&1 && grep -q 'not 0 and 1' o.txt || bad "export: $(cat o.txt)"
dns inspect x.caffemodel | grep -q '^ *fc .* 24 *6 ' || bad "export writes another number of weights"
dns test --model net.prototxt --weights w.caffemodel --iterations 1 > a.txt 2> e.txt && grep -q 'not 0 and 1' e.txt || bad "test: $(cat e.txt)"
dns test --model net.prototxt --weights x.caffemodel --iterations 1 > b.txt 2>&1
cmp a.txt b.txt || bad "what is exported computes something else"
solver s.prototxt net.prototxt t 0; dns train --solver s.prototxt --weights w.caffemodel > o.txt 2>&1 && grep -q 'not 0 and 1' o.txt || bad "train: $(cat o.txt)"
ok "all agree"
