"""Weak scaling on one machine: n ranks of t threads against one rank of n*t threads with n times the iter_size: the
same work, the same weights. Both train in turns; what is compared is images a second between two progress lines, by
their time stamps, without the start. Usage: bench_ranks.py DNS_TUI DEMO_FOLDER NETS_FOLDER [ROUNDS]"""

import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile

dns, demo, nets = (os.path.abspath(p) for p in sys.argv[1:4])
rounds = int(sys.argv[4]) if len(sys.argv) > 4 else 5
cores = os.cpu_count() or 1
ranks = 2
per_rank = max(1, cores // ranks)


def when(event):
    return datetime.datetime.fromisoformat(event["time"].replace("Z", "+00:00")).timestamp()


def train(folder, net, iter_size, flags, every, last, images):
    """Images a second."""
    with open(os.path.join(folder, "solver.prototxt"), "w", encoding="utf-8") as f:
        f.write(
            f'net: "{os.path.join(nets, net)}.prototxt" base_lr: 0.001 momentum: 0.9 weight_decay: 0.0005 '
            f'lr_policy: "fixed" display: {every} max_iter: {last + 1} snapshot_after_train: false random_seed: 1 '
            f'snapshot_prefix: "run" solver_mode: CPU surgery_iter_gamma: 0.0001 surgery_iter_power: 1 '
            f"iter_size: {iter_size}"
        )
    command = [dns, "train", "--solver", "solver.prototxt", "--progress", "json", *flags]
    out = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout
    events = [json.loads(line) for line in out.splitlines()]
    times = {e["iter"]: when(e) for e in events if e["event"] == "progress"}
    return (last - every) * images / (times[last] - times[every])


def main():
    print(f"{ranks} ranks of {per_rank} threads against one rank of {ranks * per_rank}, {rounds} rounds in turns, medians")
    print("| net, batch of a rank | ranks, images/s | one rank, images/s | ranks / one |")
    print("| --- | --- | --- | --- |")
    for net, batch, every, last, data in (
        ("lenet_dns", 64, 100, 500, []),
        ("cifar10_full", 100, 5, 20, ["--input", "3x32x32:10"]),
        ("alexnet_bn", 16, 1, 4, ["--input", "3x227x227:1000"]),
    ):
        if net not in os.environ.get("NETS", net):
            continue
        many, one = [], []
        with tempfile.TemporaryDirectory() as folder:
            for name in ("mnist_train_lmdb", "mnist_test_lmdb"):
                os.symlink(os.path.join(demo, name), os.path.join(folder, name))
            for _ in range(rounds):
                threads = ["--threads", str(per_rank), "--ranks", str(ranks)]
                many.append(train(folder, net, 1, threads + data, every, last, ranks * batch))
                threads = ["--threads", str(ranks * per_rank)]
                one.append(train(folder, net, ranks, threads + data, every, last, ranks * batch))
        ratios = [a / b for a, b in zip(many, one)]
        print(
            f"| {net}, {batch} | {statistics.median(many):,.0f} | {statistics.median(one):,.0f} | "
            f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) |",
            flush=True,
        )


main()
