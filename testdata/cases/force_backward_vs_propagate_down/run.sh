#!/bin/sh
. "$(dirname "$(readlink -f "$0")")/../lib/common.sh"
# The gradient of "a" is not 0: force_backward goes before propagate_down.
sed 's/type: "Input" top: "\(data\|label_3\)" input_param { \(.*\) } }/type: "DummyData" top: "\1" dummy_data_param { \2 data_filler { type: "constant" value: 1 } } }/' \
  "$CASE"/net.prototxt > n.prototxt
grep -q DummyData n.prototxt || bad "the net has no data"
solver s.prototxt n.prototxt t 1 'debug_info: true display: 1'; sed -i '/^display: 100/d' s.prototxt
dns train --solver s.prototxt > o.txt 2>&1 || { cat o.txt; bad "does not train"; }
grep -q 'Backward. Layer a, param blob 0 diff: [0-9.e-]*[1-9]' o.txt && ok "a has a gradient" || { cat o.txt; bad "a has none"; }
