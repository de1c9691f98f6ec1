#!/bin/sh
. "$(dirname "$(readlink -f "$0")")/../lib/common.sh"
net n.prototxt; sed 's/inner_product_param {/inner_product_param { threshold: 1/' n.prototxt > p.prototxt
solver s.prototxt p.prototxt t 100 'surgery_iter_gamma: 0.0001'; dns train --solver s.prototxt > /dev/null || bad "train"
W=t_iter_100.caffemodel
dns export $W /dev/null > o.txt 2>&1 || bad "export to /dev/null: $(cat o.txt)"
[ -c /dev/null ] || bad "/dev/null is a device no more"
dns upgrade n.prototxt /dev/stdout 2> /dev/null > u.prototxt || bad "upgrade to /dev/stdout"
dns inspect u.prototxt > /dev/null || bad "what went to /dev/stdout is no net: $(cat u.prototxt)"
dns upgrade n.prototxt /dev/stdout 2> /dev/null | grep -q 'InnerProduct' || bad "/dev/stdout of a pipe"
[ -e /dev/stdout ] && [ -h /dev/stdout ] || bad "/dev/stdout is a link no more"
mkfifo f; cat f > g & dns export $W f > o.txt 2>&1 || bad "export to a FIFO: $(cat o.txt)"
wait; dns inspect g > /dev/null || bad "what went through the FIFO is no caffemodel"
[ -p f ] || bad "the FIFO was replaced"
mkdir d; ln -s d/real link; dns export $W link > /dev/null || bad "export to a link"
[ -h link ] && [ -f d/real ] || bad "the link was replaced"
for in in /dev/zero f; do for c in "inspect $in" "export $in x" "upgrade $in x" "test --model $in --weights $W" "train --solver $in" "report $in" "draw $in x.svg"; do
  LIMIT=30 dns $c > o.txt 2>&1; r=$?
  [ $r = 1 ] || bad "$c: status $r: $(cat o.txt)"
done; done
cp $W before; dns export $W $W > o.txt 2>&1 && bad "a file was exported onto itself"
cmp -s $W before || bad "the file is another"
umask 077; dns export $W private > /dev/null; [ "$(stat -c %a private)" = 600 ] || bad "umask: $(stat -c %a private)"
echo keep > t.log; : > .t_iter_5.caffemodel.0123456789.tmp; dns train --solver s.prototxt > /dev/null 2>&1
[ -e .t_iter_5.caffemodel.0123456789.tmp ] && bad "a temporary file of a killed save is left"
ok "written through"
