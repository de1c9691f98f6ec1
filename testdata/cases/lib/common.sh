# Each case: sh run.sh; DNS_TUI names the binary. Exit 0: as it should be; 1: the fault is there.
DNS_TUI=${DNS_TUI:-dns-tui}
CASE=$(dirname "$(readlink -f "$0")") # the files beside run.sh
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT; cd "$W" || exit 2
export DNS_TUI_RUNTIME_DIR=$W/rt XDG_CONFIG_HOME=$W/xdg
dns() { timeout -k 2 "${LIMIT:-1800}" "$DNS_TUI" "$@"; }
# net NAME: a small net that learns one constant; needs no data
net() { cat > "$1" <<N
name: "Tiny"
layer { name: "in" type: "DummyData" top: "data" top: "label" dummy_data_param {
  shape { dim: 8 dim: 20 } shape { dim: 8 } data_filler { type: "constant" value: 0.5 } data_filler { type: "constant" value: 2 } } }
layer { name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1" inner_product_param { num_output: 16 weight_filler { type: "xavier" } } }
layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }
N
}
# solver FILE NET PREFIX MAX [more lines]
solver() { cat > "$1" <<N
net: "$2"
base_lr: 0.01
lr_policy: "fixed"
display: 100
max_iter: $4
snapshot: 100
snapshot_prefix: "$3"
random_seed: 1
solver_mode: CPU
$5
N
}
ok() { echo "OK: $*"; exit 0; }
bad() { echo "FAULT: $*"; exit 1; }
