"""Times training passes of nets in testdata against PyTorch's passes of the same nets, and against Caffe's.

bench_peers.py DNS_TUI WORK NETS: in each round the programs take turns, each in a process of its own, for their threads
would be in each other's way; what is printed are medians over rounds, of each program's median (PyTorch) or mean
(dns-tui and Caffe) of some passes, and of the quotients of a round. A net of PyTorch is made of the prototxt itself.
"""

import datetime
import json
import multiprocessing
import os
import re
import statistics
import subprocess
import sys
import time

import torch
import torch.nn.functional as F

BINARY, WORK, NETS = (os.path.abspath(p) for p in sys.argv[1:4])
ROUNDS = int(os.environ.get("ROUNDS", "3"))
CAFFE = os.environ.get("CAFFE", "")
ONLY = os.environ.get("ONLY", "")
THREADS = [int(n) for n in os.environ.get("THREADS", "2 1").split()]
MODES = os.environ.get("MODES", "eager channels_last compile").split()

# Nets, their title, their batch, the shapes of their inputs as --input wants them, and passes a measurement.
CASES = {
    "lenet": ("LeNet", 64, "1x28x28:10", 100),
    "lenet_300_100": ("LeNet-300-100", 64, "1x28x28:10", 1000),
    "cifar10_full": ("CIFAR-10 full", 100, "3x32x32:10", 15),
    "squeezenet_1.1": ("SqueezeNet 1.1", 8, "3x227x227:1000", 8),
    "alexnet_bn": ("AlexNet-BN", 16, "3x224x224:1000", 3),
    "resnet50": ("ResNet-50", 8, "3x224x224:1000", 2),
    "mobilenet": ("MobileNet v1", 8, "3x224x224:1000", 4),
    "lstm": ("LSTM, 512 cells, 20 steps", 50, "20x50,20x50,20x50", 10),
}


def parse(text):
    """A prototxt as a dict of lists: a list of values for each field."""
    tokens = re.findall(r'"[^"]*"|[{}]|[^\s{}:]+', re.sub(r"#[^\n]*", "", text).replace(":", " "))
    at = 0

    def message():
        nonlocal at
        fields = {}
        while at < len(tokens) and tokens[at] != "}":
            name, at = tokens[at], at + 1
            if tokens[at] == "{":
                at += 1
                value = message()
            else:
                value = tokens[at].strip('"')
            at += 1
            fields.setdefault(name, []).append(value)
        return fields

    return message()


def first(fields, name, default):
    """The first value of a field, in the type of its default."""
    if name not in fields:
        return default
    value = fields[name][0]
    return value == "true" if isinstance(default, bool) else type(default)(value)


class Window:
    """A kernel's or a pooling's extent, stride and padding, by their many names."""

    def __init__(self, p):
        def pair(name, default):
            short = {"kernel_size": "kernel", "stride": "stride", "pad": "pad"}[name]
            both = first(p, name, default)
            return first(p, short + "_h", both), first(p, short + "_w", both)

        self.kernel, self.stride, self.pad = pair("kernel_size", 0), pair("stride", 1), pair("pad", 0)


class Layer(torch.nn.Module):
    """A layer of a prototxt: called with its bottoms, it returns its only top."""

    def __init__(self, fields, shapes):
        super().__init__()
        self.kind, x = fields["type"][0], shapes[0]
        self.p = next((fields[f][0] for f in fields if f.endswith("_param") and f not in (
            "transform_param", "loss_param")), {})
        self.axis = first(self.p, "axis", 1)
        make = getattr(self, "make_" + self.kind, None)
        if make:
            make(self.p, x)

    def make_Convolution(self, p, x):
        self.window, self.groups = Window(p), first(p, "group", 1)
        outputs = first(p, "num_output", 0)
        self.w = torch.nn.Parameter(torch.empty(outputs, x[1] // self.groups, *self.window.kernel))
        torch.nn.init.kaiming_normal_(self.w)
        self.b = torch.nn.Parameter(torch.zeros(outputs)) if first(p, "bias_term", True) else None

    def make_InnerProduct(self, p, x):
        inputs = 1
        for n in x[self.axis:]:
            inputs *= n
        self.m = torch.nn.Linear(inputs, first(p, "num_output", 0), bias=first(p, "bias_term", True))

    def make_BatchNorm(self, _, x):
        self.register_buffer("mean", torch.zeros(x[1]))
        self.register_buffer("var", torch.ones(x[1]))

    def make_Scale(self, p, x):
        self.w = torch.nn.Parameter(torch.ones(x[1]))
        self.b = torch.nn.Parameter(torch.zeros(x[1]))

    def make_Pooling(self, p, x):
        self.window, self.max = Window(p), first(p, "pool", "MAX") == "MAX"
        self.whole = first(p, "global_pooling", False)

    def make_LRN(self, p, x):
        self.size, self.alpha, self.beta = (
            first(p, "local_size", 5), first(p, "alpha", 1.0), first(p, "beta", 0.75))
        self.within = first(p, "norm_region", "") == "WITHIN_CHANNEL"

    def make_Embed(self, p, x):
        self.m = torch.nn.Embedding(first(p, "input_dim", 0), first(p, "num_output", 0))

    def make_LSTM(self, p, x):
        self.m = torch.nn.LSTM(x[2], first(p, "num_output", 0))

    def forward(self, x, *more):
        k = self.kind
        if k == "Convolution":
            return F.conv2d(x, self.w, self.b, self.window.stride, self.window.pad, groups=self.groups)
        if k == "InnerProduct":
            return self.m(x.flatten(self.axis))
        if k == "ReLU":
            return F.relu(x)
        if k == "BatchNorm":  # with the Scale behind it, where there is one: what every net of PyTorch has
            return F.batch_norm(x, self.mean, self.var, *more, training=True, momentum=0.001, eps=1e-5)
        if k == "Pooling":
            if self.whole:
                return x.mean((2, 3), keepdim=True) if not self.max else x.amax((2, 3), keepdim=True)
            f, w = (F.max_pool2d if self.max else F.avg_pool2d), self.window
            return f(x, w.kernel, w.stride, w.pad, ceil_mode=True)
        if k == "LRN":
            if not self.within:
                return F.local_response_norm(x, self.size, self.alpha, self.beta)
            mean = F.avg_pool2d(x * x, self.size, 1, self.size // 2)
            return x * (1 + self.alpha * mean) ** -self.beta
        if k == "Dropout":
            return F.dropout(x, 0.5)
        if k == "Concat":
            return torch.cat((x, *more), 1)
        if k == "Eltwise":
            return x + more[0]
        if k == "Embed":
            return self.m(x)
        if k == "LSTM":
            return self.m(x)[0]
        if k == "SoftmaxWithLoss":
            return F.cross_entropy(x.flatten(0, -2) if x.ndim == 3 else x.flatten(1), more[0].flatten())
        raise ValueError(f"a layer of type {k}")


class Net(torch.nn.Module):
    """The training net of a prototxt."""

    def __init__(self, text, inputs):
        super().__init__()
        self.steps, self.layers = [], torch.nn.ModuleList()
        values = dict(inputs)
        fields = [f for f in parse(text)["layer"] if f["type"][0] not in ("Data", "HDF5Data", "Accuracy", "Silence")]
        skip = False
        for i, f in enumerate(fields):
            if skip:
                skip = False
                continue
            bottoms, top = f["bottom"], f["top"][0]
            if f["type"][0] == "LSTM":
                bottoms = bottoms[:1]
            layer = Layer(f, [values[b].shape for b in bottoms])
            scale = None
            if f["type"][0] == "BatchNorm" and i + 1 < len(fields) and fields[i + 1]["type"][0] == "Scale":
                skip, scale = True, Layer(fields[i + 1], [values[bottoms[0]].shape])
                top = fields[i + 1]["top"][0]
            self.layers.append(layer)
            if scale:
                self.layers.append(scale)
            self.steps.append((layer, scale, bottoms, top))
            with torch.no_grad():
                values[top] = layer(*[values[b] for b in bottoms], *([scale.w, scale.b] if scale else []))

    def forward(self, inputs):
        values = dict(inputs)
        for layer, scale, bottoms, top in self.steps:
            more = [scale.w, scale.b] if scale else []
            values[top] = layer(*[values[b] for b in bottoms], *more)
        return values[top]


def prototxt(net):
    """The net as it is run here: with the batch of its case, and the LSTM with 512 cells."""
    with open(os.path.join(NETS, net + ".prototxt")) as f:
        text = f.read()
    batch = CASES[net][1]
    if net == "lstm":
        return text.replace("num_output: 128", "num_output: 512").replace("num_output: 64", "num_output: 512")
    return re.sub(r"batch_size: \d+", f"batch_size: {batch}", text)


def inputs_of(net):
    batch, shapes = CASES[net][1], CASES[net][2]
    if net == "lstm":
        return {"words": torch.randint(0, 1000, (20, 50)), "label": torch.randint(0, 1000, (20, 50))}
    shape, labels = shapes.split(":")
    return {"data": torch.randn(batch, *(int(n) for n in shape.split("x"))),
            "label": torch.randint(0, int(labels), (batch,))}


def median_of(f, seconds=1.0, at_least=3):
    took, begin = [], time.perf_counter()
    while len(took) < at_least or time.perf_counter() - begin < seconds:
        start = time.perf_counter()
        f()
        took.append(time.perf_counter() - start)
    return 1000 * statistics.median(took)


def serve(pipe, net, mode, threads):
    """Answers "passes" and "steps" with PyTorch's ms of one, in a process of its own."""
    torch.set_num_threads(threads)
    torch.manual_seed(1)
    inputs = inputs_of(net)
    module = Net(prototxt(net), inputs)
    if mode == "channels_last":
        module = module.to(memory_format=torch.channels_last)
        inputs = {k: v.to(memory_format=torch.channels_last) if v.ndim == 4 else v for k, v in inputs.items()}
    run = torch.compile(module) if mode == "compile" else module
    parameters = list(module.parameters())
    weights = [m.w if m.kind == "Convolution" else m.m.weight for m in module.layers
               if m.kind in ("Convolution", "InnerProduct")]
    solver = torch.optim.SGD(parameters, lr=1e-9, momentum=0.9, weight_decay=5e-4, foreach=True)

    def passes():
        for p in parameters:
            p.grad = None
        run(inputs).backward()

    masks = [torch.ones_like(w) for w in weights]

    @torch.no_grad()
    def surgery():
        """The seed rule: masks from means and deviations of all weights, which are kept apart."""
        whole = [w.clone() for w in weights]
        for w, m in zip(weights, masks):
            deviation, mean = torch.std_mean(w, correction=0)
            m.copy_((w - mean).abs() >= 0.6 * deviation)
            w.mul_(m)
        return whole

    def steps():
        whole = surgery()
        passes()
        with torch.no_grad():
            torch._foreach_copy_(weights, whole)
        solver.step()

    try:
        for _ in range(2):
            steps()
    except Exception as e:  # what a mode cannot do is said, and left out
        pipe.send(f"{type(e).__name__}: {e}".splitlines()[0])
        return
    pipe.send(None)
    while (what := pipe.recv()) is not None:
        pipe.send(median_of(passes if what == "passes" else steps))


class Torch:
    def __init__(self, net, mode, threads):
        context = multiprocessing.get_context("fork")
        self.pipe, theirs = context.Pipe()
        self.process = context.Process(target=serve, args=(theirs, net, mode, threads))
        self.process.start()
        self.fault = self.pipe.recv()

    def measure(self, what):
        self.pipe.send(what)
        return self.pipe.recv()

    def close(self):
        if self.fault is None:
            self.pipe.send(None)
        self.process.join()


def call(*args, **more):
    done = subprocess.run(args, cwd=WORK, capture_output=True, text=True, **more)
    if done.returncode:
        sys.exit(f"{' '.join(args)}: {done.stderr}")
    return done


def ours(net, file, threads):
    time.sleep(1)  # threads of the others spin for a while
    out = call(BINARY, "time", "--model", file, "--input", CASES[net][2], "--device", "host", "--threads", str(threads),
               "--iterations", str(CASES[net][3])).stdout
    m = re.search(r"^all +([0-9.]+) ms +([0-9.]+) ms", out, re.M)
    return float(m[1]) + float(m[2])


def our_steps(net, file, threads):
    """ms of a step with surgery in every one, by the times of the progress lines; the first few steps are left out."""
    passes = CASES[net][3]
    solver = os.path.join(WORK, net + ".solver.prototxt")
    with open(solver, "w") as f:
        f.write(f'net: "{file}" base_lr: 1e-9 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.0005 random_seed: 1\n'
                f'max_iter: {2 * passes + 1} display: {passes} solver_mode: CPU snapshot_after_train: false\n'
                f'snapshot_prefix: "{os.path.join(WORK, net)}" surgery_iter_gamma: 0 surgery_iter_power: 1\n')
    out = call(BINARY, "train", "--solver", solver, "--input", CASES[net][2], "--threads", str(threads), "--progress",
               "json").stdout
    times = {o["iter"]: datetime.datetime.fromisoformat(o["time"]) for o in map(json.loads, out.splitlines())
             if o["event"] == "progress"}
    return 1000 * (times[2 * passes] - times[passes]).total_seconds() / passes


def caffe(file, passes, threads):
    env = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads)}
    err = call(CAFFE, "time", "-model", file, "-iterations", str(passes), env=env).stderr
    return float(re.search(r"Average Forward-Backward: ([0-9.]+)", err)[1])


def bench(net, threads):
    title, batch, shapes, passes = CASES[net]
    file = os.path.join(WORK, net + ".prototxt")
    with open(file, "w") as f:
        f.write(prototxt(net))
    peers, faults = {}, []
    for mode in MODES:
        t = Torch(net, mode, threads)
        if t.fault is not None:
            faults.append(f"{title}, {mode}: {t.fault}")
            t.close()
            continue
        peers[mode] = t
    ours(net, file, threads)  # measures what it does not know yet
    rounds = []
    for _ in range(ROUNDS):
        r = {"ours": ours(net, file, threads)}
        if CAFFE:
            r["caffe"] = caffe(file, passes, threads)
        r.update({mode: t.measure("passes") for mode, t in peers.items()})
        if net != "lstm":  # random words are no words, and training says so
            r["our steps"] = our_steps(net, file, threads)
            r.update({mode + " steps": t.measure("steps") for mode, t in peers.items()})
        rounds.append(r)
    for t in peers.values():
        t.close()
    mid = {k: statistics.median(r[k] for r in rounds) for k in rounds[0]}

    def quotient(k, of):
        return statistics.median(r[k] / r[of] for r in rounds)

    best = min(peers, key=lambda k: mid[k])
    steps = "– | –"
    if "our steps" in mid:
        best_steps = min((mode + " steps" for mode in peers), key=lambda k: mid[k])
        steps = f"{mid['our steps']:.2f} | {quotient(best_steps, 'our steps'):.2f} ({best_steps.split()[0]})"
    cells = " | ".join(f"{mid[m]:.2f}" if m in mid else "–" for m in MODES)
    print(f"| {title}, {batch} | {threads} | {mid['ours']:.2f} | {cells} | "
          f"{format(quotient('caffe', 'ours'), '.2f') if CAFFE else '–'} | {quotient(best, 'ours'):.2f} ({best}) | "
          f"{steps} |", flush=True)
    return faults


def main():
    os.makedirs(WORK, exist_ok=True)
    print(f"PyTorch {torch.__version__}, {ROUNDS} rounds; {call(BINARY, 'version').stdout.strip()}\n")
    print("| net, batch | threads | dns-tui, ms | " + " | ".join(f"PyTorch {m}, ms" for m in MODES)
          + " | Caffe / dns-tui | PyTorch's best / dns-tui | dns-tui's step with surgery, ms | "
          "PyTorch's best step / dns-tui |")
    print("| --- " * (7 + len(MODES)) + "|", flush=True)
    faults = []
    for threads in THREADS:
        for net in CASES:
            if ONLY in net:
                faults += bench(net, threads)
    for f in faults:
        print(f)


if __name__ == "__main__":
    main()
