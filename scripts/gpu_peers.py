"""Times training steps of PyTorch on GPU 0, of the nets of the report, and prints a row of a table for each.

gpu_peers.py NETS: forward, backward and SGD with momentum, on data that is there already, as BenchmarkCUDAStep does;
without surgery. fp32 and tf32 as cuDNN does them, bf16 by autocast with channels last; ms are medians of 30 steps.
"""

import re
import statistics
import sys

import torch

from peer_nets import Net

# Nets, their batch, the shape of their images, their classes.
CASES = {
    "lenet_300_100": (64, (1, 28, 28), 10),
    "lenet": (64, (1, 28, 28), 10),
    "alexnet_bn": (200, (3, 224, 224), 1000),
}


def milliseconds(f, warm=10, times=30):
    for _ in range(warm):
        f()
    took = []
    for _ in range(times):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        f()
        end.record()
        torch.cuda.synchronize()
        took.append(start.elapsed_time(end))
    return statistics.median(took)


def measure(net, precision):
    batch, shape, classes = CASES[net]
    torch.manual_seed(1)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision != "fp32"
    with open(f"{sys.argv[1]}/{net}.prototxt") as f:
        text = re.sub(r"batch_size: \d+", f"batch_size: {batch}", f.read())
    inputs = {"data": torch.randn(batch, *shape), "label": torch.randint(0, classes, (batch,))}
    module = Net(text, inputs).cuda()
    inputs = {k: v.cuda() for k, v in inputs.items()}
    if precision == "bf16":
        module = module.to(memory_format=torch.channels_last)
        inputs["data"] = inputs["data"].to(memory_format=torch.channels_last)
    solver = torch.optim.SGD(module.parameters(), lr=1e-9, momentum=0.9, weight_decay=5e-4, foreach=True)

    def step():
        solver.zero_grad(set_to_none=True)
        with torch.autocast("cuda", torch.bfloat16, enabled=precision == "bf16"):
            loss = module(inputs)
        loss.backward()
        solver.step()

    return milliseconds(step)


if __name__ == "__main__":
    if not torch.cuda.is_available():
        sys.exit("PyTorch finds no GPU")
    for net in CASES:
        for precision in ("fp32", "tf32", "bf16"):
            ms = measure(net, precision)
            print(f"| {net} | {precision} | {ms:.4g} | {1000 * CASES[net][0] / ms:.0f} |", flush=True)
