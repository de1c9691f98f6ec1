"""A user's binary of Caffe, measured on the nets of bench_peers.py: its passes (`caffe time`) and its steps (`caffe
train`, without surgery), with DummyData in place of what the nets read."""

import os
import re
import statistics
import subprocess

DATA = ("Data", "HDF5Data", "ImageData", "Input")


class Fault(Exception):
    """Caffe did not do what was asked of it."""


def layers(text):
    """The places of a prototxt's layers: (begin, end) of each."""
    for begin in re.finditer(r"^layer\s*\{", text, re.M):
        depth, at = 1, begin.end()
        while depth:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        yield begin.start(), at


def dummy(block, shapes, constants):
    """A DummyData layer with the tops of a layer that reads, whose numbers stay as they are made first."""
    tops = re.findall(r'\btop:\s*"([^"]+)"', block)
    if len(tops) != len(shapes):
        raise Fault(f"{len(shapes)} shapes for the tops {tops}")
    lines = ['layer {', '  name: "dummy"', '  type: "DummyData"'] + [f'  top: "{t}"' for t in tops]
    lines.append("  dummy_data_param {")
    lines += ["    shape { " + " ".join(f"dim: {n}" for n in s) + " }" for s in shapes]
    lines += [f'    data_filler {{ type: "constant" value: {c} }}' for c in constants]
    return "\n".join(lines + ["  }", "}"])


def for_caffe(text, shapes, constants):
    """A net as Caffe takes it: the first layer that reads becomes DummyData and the others go, and so do the third
    param of layers that have two parameters: Caffe has no masks."""
    out, end, done = [], 0, False
    text = re.sub(r"#[^\n]*", "", text)
    for begin, stop in layers(text):
        block = text[begin:stop]
        out.append(text[end:begin])
        end = stop
        kind = re.search(r'\btype:\s*"([^"]+)"', block)[1]
        if kind in DATA:
            block, done = "" if done else dummy(block, shapes, constants), True
        elif kind in ("Convolution", "InnerProduct"):
            params = list(re.finditer(r"\bparam\s*\{[^}]*\}", block))
            for p in reversed(params[2:]):
                block = block[:p.start()] + block[p.end():]
        out.append(block)
    return "".join(out) + text[end:]


def run(binary, threads, *args):
    """What Caffe writes; it logs to stderr."""
    env = {**os.environ, "OPENBLAS_NUM_THREADS": str(threads), "OMP_NUM_THREADS": str(threads),
           "MKL_NUM_THREADS": str(threads), "GLOG_logtostderr": "1"}
    try:
        done = subprocess.run([binary, *args], env=env, capture_output=True, text=True)
    except OSError as e:
        raise Fault(str(e)) from e
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        said = [line for line in lines if re.match(r"F\d{4} |\[libprotobuf ERROR", line)] or lines[-1:] or ["nothing"]
        raise Fault(f"`caffe {args[0]}` ended with {done.returncode}: {said[0]}")
    return done.stderr + done.stdout


def passes_of(said):
    """ms of a pass forward and backward, of what `caffe time` said."""
    m = re.search(r"Average Forward-Backward: ([0-9.]+) ms", said)
    if not m:
        raise Fault("`caffe time` said no \"Average Forward-Backward\"")
    return float(m[1])


def steps_of(said):
    """ms of an iteration, of what `caffe train` said: the median of its displays but for the first."""
    rates = re.findall(r"Iteration \d+ \([0-9.e+-]+ iter/s, ([0-9.e+-]+)s/(\d+) iters\)", said)
    times = [1000 * float(s) / int(n) for s, n in rates]
    if not times:
        raise Fault("`caffe train` said no \"iter/s\": wanted a Caffe of 2017 or later")
    return statistics.median(times)


class Caffe:
    def __init__(self, binary, work, name, text, shapes, constants, threads):
        self.binary, self.threads = binary, threads
        self.net = os.path.join(work, name + ".caffe.prototxt")
        self.solver = os.path.join(work, name + ".caffe.solver.prototxt")
        self.prefix = os.path.join(work, name + ".caffe")
        with open(self.net, "w") as f:
            f.write(for_caffe(text, shapes, constants))

    def passes(self, count):
        """ms of a pass forward and backward, the mean of some."""
        args = ("time", "-model", self.net, "-iterations", str(count), "-phase", "TRAIN")
        return passes_of(run(self.binary, self.threads, *args))

    def steps(self, count):
        """ms of a step without surgery."""
        with open(self.solver, "w") as f:
            f.write(f'net: "{self.net}" base_lr: 1e-9 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.0005\n'
                    f'max_iter: {3 * count} display: {count} solver_mode: CPU snapshot_after_train: false\n'
                    f'snapshot_prefix: "{self.prefix}"\n')
        return steps_of(run(self.binary, self.threads, "train", "-solver", self.solver))
