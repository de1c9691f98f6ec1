"""Times training passes of nets in testdata against PyTorch's passes of the same nets, and against Caffe's.

bench_peers.py DNS_TUI WORK NETS: in each round the programs take turns, each in a process of its own, for their threads
would be in each other's way; what is printed are medians over rounds, of each program's median (PyTorch) or mean
(dns-tui and Caffe) of some passes, and of the quotients of a round. A net of PyTorch is made of the prototxt itself.
What a pass takes is held against its floor too: the sum over layers of the larger of their operations over what a
product does here, and their bytes over what a copy moves (`dns-tui time --profile`).
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

import caffe_peer
from peer_nets import Net

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
    """ms of a pass forward and backward, and its floor."""
    time.sleep(1)  # threads of the others spin for a while
    out = call(BINARY, "time", "--profile", "--model", file, "--input", CASES[net][2], "--device", "host", "--threads",
               str(threads), "--iterations", str(CASES[net][3])).stdout
    one = r" +([0-9.]+) +[0-9.]+ +[0-9.]+ +([0-9.]+) +[0-9]+ %"  # ms, GFLOP/s, GB/s, floor, of floor
    m = [float(x) for x in re.search("^all" + one + one, out, re.M).groups()]
    return m[0] + m[2], m[1] + m[3]


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


def shapes_of(net):
    """The shapes of what a net reads, and a number for each that is in its range."""
    batch, shapes = CASES[net][1], CASES[net][2]
    if net == "lstm":
        return [[int(n) for n in s.split("x")] for s in shapes.split(",")], [1, 1, 1]
    return [[batch, *(int(n) for n in shapes.split(":")[0].split("x"))], [batch]], [0.5, 1]


def caffe_of(net, text, threads, faults):
    """Caffe with the net, which has done a pass and some steps; None where there is none, or it does not."""
    if not CAFFE:
        return None
    try:
        peer = caffe_peer.Caffe(CAFFE, WORK, net, text, *shapes_of(net), threads)
        peer.passes(1)
        peer.steps(1)
        return peer
    except caffe_peer.Fault as e:
        faults.append(f"{CASES[net][0]}, Caffe: {e}")
        return None


def bench(net, threads):
    title, batch, shapes, passes = CASES[net]
    file = os.path.join(WORK, net + ".prototxt")
    text = prototxt(net)
    with open(file, "w") as f:
        f.write(text)
    peers, faults = {}, []
    their_caffe = caffe_of(net, text, threads, faults)
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
        r = dict(zip(("ours", "floor"), ours(net, file, threads)))
        if their_caffe:
            r["caffe"] = their_caffe.passes(passes)
        r.update({mode: t.measure("passes") for mode, t in peers.items()})
        if net != "lstm":  # random words are no words, and training says so
            r["our steps"] = our_steps(net, file, threads)
            if their_caffe:
                r["caffe steps"] = their_caffe.steps(passes)
            r.update({mode + " steps": t.measure("steps") for mode, t in peers.items()})
        rounds.append(r)
    for t in peers.values():
        t.close()
    mid = {k: statistics.median(r[k] for r in rounds) for k in rounds[0]}

    def quotient(k, of):
        return statistics.median(r[k] / r[of] for r in rounds)

    best = min(peers, key=lambda k: mid[k])
    steps = "– | –"
    caffes = "– | –"
    if their_caffe:
        caffes = f"{quotient('caffe', 'ours'):.2f} | "
        caffes += f"{quotient('caffe steps', 'our steps'):.2f}" if "caffe steps" in mid else "–"
    if "our steps" in mid:
        best_steps = min((mode + " steps" for mode in peers), key=lambda k: mid[k])
        steps = f"{mid['our steps']:.2f} | {quotient(best_steps, 'our steps'):.2f} ({best_steps.split()[0]})"
    cells = " | ".join(f"{mid[m]:.2f}" if m in mid else "–" for m in MODES)
    print(f"| {title}, {batch} | {threads} | {mid['ours']:.2f} | {quotient('ours', 'floor'):.2f} | {cells} | "
          f"{quotient(best, 'ours'):.2f} ({best}) | {steps} | {caffes} |", flush=True)
    return faults


def main():
    os.makedirs(WORK, exist_ok=True)
    print(f"PyTorch {torch.__version__}, {ROUNDS} rounds; {call(BINARY, 'version').stdout.strip()}\n")
    print("| net, batch | threads | dns-tui, ms | of its floor | " + " | ".join(f"PyTorch {m}, ms" for m in MODES)
          + " | PyTorch's best / dns-tui | dns-tui's step with surgery, ms | PyTorch's best step / dns-tui | "
          "Caffe / dns-tui | Caffe's step without surgery / dns-tui's with |")
    print("| --- " * (9 + len(MODES)) + "|", flush=True)
    faults = []
    for threads in THREADS:
        for net in CASES:
            if ONLY in net:
                faults += bench(net, threads)
    for f in faults:
        print(f)


if __name__ == "__main__":
    main()
