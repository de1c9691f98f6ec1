#!/bin/sh
HERE=$(dirname "$(readlink -f "$0")")
. "$HERE/../lib/common.sh"
dns inspect "$HERE/net.prototxt" > o.txt 2>&1 || bad "the net is refused: $(cat o.txt)"
grep -q 'DepthwiseConvolution, now Convolution' o.txt && grep -q 'ceil_mode: false, now round_mode: FLOOR' o.txt || bad "what was changed is not told: $(cat o.txt)"
sed 's/"Permute"/"PriorBox"/; s/permute_param/prior_box_param/; s/"Normalize"/"BN"/; s/norm_param/bn_param/' "$HERE/net.prototxt" > n.prototxt
dns inspect n.prototxt > o.txt 2>&1 && bad "unknown layers are accepted"
cat o.txt
grep -q 'n.prototxt:4: layer "c1_norm".*BN' o.txt && grep -q 'n.prototxt:5: layer "c1_perm".*PriorBox.*SSD' o.txt || bad "not all are listed"
grep -q 'did you mean' o.txt && bad "a field of an unknown layer is judged"
ok "told"
