"""Times nets with zeros left out against onnxruntime's and PyTorch's dense float32 of the same nets.

bench_sparse.py DNS_TUI WORK MODELS: in each round the programs take turns, each in a process of its own, for their
threads would be in each other's way; what is printed are medians over rounds, of each program's median pass, and of the
quotients of a round.
"""

import contextlib
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import time

import numpy as np
import onnxruntime
import torch
from safetensors.numpy import load_file

BINARY, WORK, MODELS = (os.path.abspath(p) for p in sys.argv[1:4])
ROUNDS = int(os.environ.get("ROUNDS", "5"))
THREADS = 2


def layer(kind, name, bottom, top, more=""):
    return f'layer {{ name: "{name}" type: "{kind}" bottom: "{bottom}" top: "{top}" {more} }}\n'


class Net:
    """A net of layers in a row, as a prototxt and as a function of PyTorch."""

    def __init__(self, shape):
        self.shape, self.text, self.steps, self.last = shape, "", [], "data"

    def add(self, kind, name, more="", in_place=False):
        top = self.last if in_place else name
        self.text += layer(kind, name, self.last, top, more)
        self.last = top
        return self

    def conv(self, name, outputs, kernel, pad=0, threshold=None):
        extra = f"threshold: {threshold}" if threshold else ""
        filler = 'weight_filler { type: "gaussian" std: 0.05 }'
        self.add("Convolution", name, f"convolution_param {{ num_output: {outputs} kernel_size: {kernel} pad: {pad} "
                 f"{filler} {extra} }}")
        f = torch.nn.functional.conv2d
        self.steps.append(lambda x, w: f(x, w[name + ".weight"], w[name + ".bias"], padding=pad))
        return self

    def product(self, name, outputs, threshold=None):
        extra = f"threshold: {threshold}" if threshold else ""
        filler = 'weight_filler { type: "gaussian" std: 0.005 }'
        self.add("InnerProduct", name, f"inner_product_param {{ num_output: {outputs} {filler} {extra} }}")
        f = torch.nn.functional.linear
        self.steps.append(lambda x, w: f(x.flatten(1), w[name + ".weight"], w[name + ".bias"]))
        return self

    def relu(self, name):
        self.add("ReLU", name, in_place=True)
        self.steps.append(lambda x, w: torch.nn.functional.relu(x))
        return self

    def pool(self, name):
        self.add("Pooling", name, "pooling_param { pool: MAX kernel_size: 2 stride: 2 }")
        self.steps.append(lambda x, w: torch.nn.functional.max_pool2d(x, 2))
        return self

    def prototxt(self, batch):
        dims = " ".join(f"dim: {n}" for n in (batch, *self.shape))
        return (f'name: "net"\nlayer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}\n'
                + self.text)

    def run(self, x, weights):
        for step in self.steps:
            x = step(x, weights)
        return x


def lenet5():
    return (Net((1, 28, 28)).conv("conv1", 20, 5).pool("pool1").conv("conv2", 50, 5).pool("pool2")
            .product("ip1", 500).relu("relu1").product("ip2", 10))


def lenet300():
    return Net((784,)).product("ip1", 300).relu("relu1").product("ip2", 100).relu("relu2").product("ip3", 10)


def alexnet_fc(threshold=None):
    return (Net((9216,)).product("fc6", 4096, threshold).relu("relu6").product("fc7", 4096, threshold).relu("relu7")
            .product("fc8", 1000, threshold))


def call(*args):
    done = subprocess.run([BINARY, *args], cwd=WORK, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"dns-tui {' '.join(args)}: {done.stderr}")
    return done.stdout


def pruned(name, make):
    """Weights of a net as it is filled, pruned once by thresholds of each layer in standard deviations."""
    weights = os.path.join(WORK, name + ".dnz")
    if not os.path.exists(weights):
        net = make()
        text = net.prototxt(1) + layer("Reduction", "sum", net.last, "sum", "loss_weight: 1")
        with open(os.path.join(WORK, name + ".train.prototxt"), "w") as f:
            f.write(text)
        with open(os.path.join(WORK, name + ".solver.prototxt"), "w") as f:
            f.write(f'net: "{name}.train.prototxt" base_lr: 1e-12 lr_policy: "fixed" max_iter: 2 random_seed: 1\n'
                    f'snapshot_prefix: "{name}" solver_mode: CPU surgery_iter_gamma: 0 surgery_iter_power: 1\n')
        call("train", "--solver", name + ".solver.prototxt")
        call("export", name + "_iter_2.caffemodel", weights)
        for kind in ("caffemodel", "solverstate"):
            os.remove(os.path.join(WORK, f"{name}_iter_2.{kind}"))
    return weights


def median_of(f, at_least=20, seconds=0.5):
    for _ in range(5):
        f()
    took, begin = [], time.perf_counter()
    while len(took) < at_least or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        f()
        took.append(time.perf_counter() - start)
    return 1000 * statistics.median(took)


class Ours:
    """This program: a pass with zeros left out, and a dense one."""

    def __init__(self, prototxt, weights):
        self.args = ("time", "--sparse", "--threads", str(THREADS), "--model", prototxt, "--weights", weights)
        self.passes = 50

    def measure(self):
        out = call(*self.args, "--iterations", str(self.passes))
        m = re.search(r"a pass +([0-9.]+) ms, dense ([0-9.]+) ms", out)
        sparse, dense = float(m[1]), float(m[2])
        self.passes = int(min(5000, max(20, 1000 / (dense + sparse))))
        return sparse, dense


def serve(pipe, kind, make, batch, name):
    """Answers each message with the median pass of a peer, in a process of its own; first with an output."""
    net = make()
    x = np.random.default_rng(1).normal(size=(batch, *net.shape)).astype(np.float32)
    if kind == "onnxruntime":
        o = onnxruntime.SessionOptions()
        o.intra_op_num_threads = THREADS
        session = onnxruntime.InferenceSession(os.path.join(WORK, name + ".onnx"), o,
                                               providers=["CPUExecutionProvider"])
        inputs = {session.get_inputs()[0].name: x}

        def run():
            return session.run(None, inputs)[0]
    else:
        torch.set_num_threads(THREADS)
        form = torch.channels_last if kind.endswith("channels_last") else torch.contiguous_format

        def tensor(v):
            return torch.from_numpy(v).contiguous(memory_format=form if v.ndim == 4 else torch.contiguous_format)

        w = {k: tensor(v) for k, v in load_file(os.path.join(WORK, name + ".safetensors")).items()}
        given = tensor(x)

        def run():
            with torch.inference_mode():
                return net.run(given, w)
    pipe.send(np.asarray(run()))
    while pipe.recv():
        pipe.send(median_of(run))


@contextlib.contextmanager
def peers(net, make, batch, prototxt, weights, name):
    """Functions that measure onnxruntime and PyTorch, by name."""
    call("export", "--model", prototxt, weights, name + ".onnx")
    call("export", weights, name + ".safetensors")
    kinds = ["onnxruntime", "PyTorch"] + (["PyTorch, channels_last"] if len(net.shape) == 3 else [])
    context, pipes, outputs = multiprocessing.get_context("fork"), {}, {}
    for kind in kinds:
        pipes[kind], theirs = context.Pipe()
        context.Process(target=serve, args=(theirs, kind, make, batch, name), daemon=True).start()
        outputs[kind] = pipes[kind].recv()
    for kind in kinds[1:]:
        have, want = outputs[kind].reshape(outputs["onnxruntime"].shape), outputs["onnxruntime"]
        if not np.allclose(have, want, atol=1e-3):
            sys.exit(f"{name}: onnxruntime and {kind} differ by {np.abs(have - want).max()}")

    def measure(kind):
        pipes[kind].send(True)
        return pipes[kind].recv()

    try:
        yield {kind: (lambda kind=kind: measure(kind)) for kind in kinds}
    finally:
        for pipe in pipes.values():
            pipe.send(False)


def bench(title, make, batch, weights, ours_text=None, ours_weights=None):
    net = make()
    name = re.sub(r"\W+", "_", title)
    prototxt = os.path.join(WORK, name + ".prototxt")
    with open(prototxt, "w") as f:
        f.write(net.prototxt(batch))
    ours = Ours(prototxt, weights)
    if ours_text:
        own = os.path.join(WORK, name + ".own.prototxt")
        with open(own, "w") as f:
            f.write(ours_text)
        ours = Ours(own, ours_weights)
    ours.measure()  # and how many passes are enough
    rounds = []
    with peers(net, make, batch, prototxt, weights, name) as others:
        for _ in range(ROUNDS):
            sparse, dense = ours.measure()
            rounds.append({"sparse": sparse, "dense": dense, **{k: f() for k, f in others.items()}})
    mid = {k: statistics.median(r[k] for r in rounds) for k in rounds[0]}
    best = min((k for k in mid if k.startswith("PyTorch")), key=lambda k: mid[k])
    faster = {k: statistics.median(r[k] / r["sparse"] for r in rounds) for k in ("dense", "onnxruntime", best)}
    row = (f"| {title} | {mid['sparse']:.4f} | {mid['dense']:.4f} | {mid['onnxruntime']:.4f} | {mid[best]:.4f}"
           f"{' (channels_last)' if best.endswith('last') else ''} | {faster['dense']:.1f} | "
           f"{faster['onnxruntime']:.1f} | {faster[best]:.1f} |")
    print(row, flush=True)


def main():
    only = os.environ.get("ONLY", "")
    cases = []
    for batch in (1, 64):
        cases.append((f"lenet300 at 114x, batch {batch}", lenet300, batch, os.path.join(MODELS, "lenet300_114x.dnz")))
        cases.append((f"lenet5 at 310x, batch {batch}", lenet5, batch, os.path.join(MODELS, "lenet5_310x.dnz")))
    print(f"onnxruntime {onnxruntime.__version__}, PyTorch {torch.__version__}, {THREADS} threads, {ROUNDS} rounds; "
          f"{call('version').strip()}\n")
    print("| net | zeros left out, ms | dense, ms | onnxruntime, ms | PyTorch, ms | than dense | than onnxruntime | "
          "than PyTorch |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |", flush=True)
    for title, make, batch, weights in cases:
        if only in title:
            bench(title, make, batch, weights)
    for batch in (1, 64):
        title = f"lenet5 at 310x, shrunk, batch {batch}"
        if only in title:
            net, weights = lenet5(), os.path.join(MODELS, "lenet5_310x.dnz")
            whole = os.path.join(WORK, f"whole{batch}.prototxt")
            with open(whole, "w") as f:
                f.write(net.prototxt(batch))
            small = os.path.join(WORK, f"small{batch}.caffemodel")
            call("export", "--shrink", "--force", "--model", whole, weights, small)
            with open(os.path.join(WORK, f"small{batch}.prototxt")) as f:
                bench(title, lenet5, batch, weights, f.read(), small)
    title = "AlexNet fc6 to fc8, 90 %, batch 1"
    if only in title:
        weights = pruned("fc", lambda: alexnet_fc(1.645))
        bench(title, alexnet_fc, 1, weights)
    for channels, size in ((64, 56), (128, 28), (256, 14), (512, 7)):
        for sparsity, threshold in ((50, 0.6745), (70, 1.0364), (80, 1.2816), (90, 1.6449), (95, 1.96), (98, 2.3263)):
            title = f"conv 3x3, {channels} channels of {size}x{size}, {sparsity} %"
            if only in title:
                def make(threshold=None):
                    return Net((channels, size, size)).conv("conv", channels, 3, 1, threshold)

                weights = pruned(f"conv{channels}_{sparsity}", lambda: make(threshold))
                bench(title, make, 1, weights)


main()
