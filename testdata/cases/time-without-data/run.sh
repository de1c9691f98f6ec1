#!/bin/sh
. "$(dirname "$(readlink -f "$0")")/../lib/common.sh"
# A net without its data: time takes --input, without it the error names it; draw draws.
dns time --model "$CASE/net.prototxt" --iterations 1 > o.txt 2>&1 && bad "measured without the data"
grep -q -e '--input' o.txt || bad "the error does not name the flag: $(cat o.txt)"
dns time --model "$CASE/net.prototxt" --input 3x20x20 --iterations 1 > o.txt 2>&1 || bad "$(cat o.txt)"
grep -q '^fc ' o.txt || bad "fc is not measured: $(cat o.txt)"
sed 's/crop_size: 20//' "$CASE/net.prototxt" > m.prototxt
dns draw m.prototxt m.svg > o.txt 2>&1 && grep -q SoftmaxWithLoss m.svg || bad "not drawn without shapes: $(cat o.txt)"
ok "time, error and draw"
