"""Writes docs/kernels.md: what each kernel's inner loop is made of, and what that allows on an H100 at most.

kernel_counts.py CUBINS SOURCES: reads the committed cubins for sm_90 with cuobjdump (of NVIDIA's toolkit), so nothing is
run, and no GPU is needed. The kernel's comment in the source gives what it must move.
"""

import collections
import glob
import gzip
import os
import re
import subprocess
import sys
import tempfile

CUBINS, SOURCES = sys.argv[1:3]

# An H100 (SXM): multiprocessors, each of which issues four instructions of a warp a cycle; clock; memory.
SLOTS = 132 * 4 * 1.755e9
MEMORY = 3.0e12

# Cycles that a multiplication takes of its pipe, at NVIDIA's dense peaks, and those peaks in TFLOP/s. mma.sync reaches
# about two thirds of them on this chip, as published measurements say; wgmma, which would reach more, is not used.
MULTIPLICATIONS = {
    "FFMA": (1, 67, "float32"),
    "HMMA.1688": (4, 495, "TF32"),
    "HMMA.16816": (4, 989, "bf16"),
}

PRODUCT = r"(gemm|staged_gemm|conv|nhwc_conv)_"
INSTRUCTION = re.compile(r"/\*([0-9a-f]{4,5})\*/\s+(?:@!?U?P\w+\s+)?([A-Z][A-Z0-9_.]*)([^;]*);")


def disassemble(path):
    """The instructions of each kernel: (address, name, operands)."""
    with tempfile.NamedTemporaryFile(suffix=".cubin") as f:
        with gzip.open(path) as g:
            f.write(g.read())
        f.flush()
        text = subprocess.run(["cuobjdump", "-sass", f.name], check=True, capture_output=True, text=True).stdout
        usage = subprocess.run(["cuobjdump", "-res-usage", f.name], check=True, capture_output=True, text=True)
    kernels, current = {}, None
    for line in text.splitlines():
        if m := re.search(r"Function : (\w+)", line):
            current = kernels.setdefault(m[1], [])
        elif (m := INSTRUCTION.search(line)) and current is not None:
            current.append((int(m[1], 16), m[2], m[3]))
    resources = dict(re.findall(r"Function (\w+):\s*\n\s*(REG:\d+ .*)", usage.stdout + usage.stderr))
    return kernels, resources


def multiplication(name):
    if name.startswith("HMMA."):
        return ".".join(name.split(".")[:2])
    return "FFMA" if name.split(".")[0] == "FFMA" else None


def moved(name):
    """The bytes that a warp's load or store of global memory moves: also by LD and ST, which go by pointers that the
    kernel has read from memory (the segments of update and surgery)."""
    parts = name.split(".")
    if parts[0] not in ("LDG", "STG", "LDGSTS", "LD", "ST"):
        return 0
    width = next((w for p, w in (("128", 16), ("64", 8), ("U16", 2), ("S16", 2), ("U8", 1), ("S8", 1)) if p in parts), 4)
    return 32 * width


def loops(code):
    """The innermost loops: the pieces between a branch backwards and its target that have no other in them."""
    spans = []
    for address, name, operands in code:
        if name.split(".")[0] == "BRA" and (m := re.search(r"0x([0-9a-f]+)", operands)) and int(m[1], 16) < address:
            spans.append((int(m[1], 16), address))
    inner = [s for s in spans if not any(o != s and s[0] <= o[0] and o[1] <= s[1] for o in spans)]
    return [[i for i in code if s[0] <= i[0] <= s[1]] for s in inner]


def multiplications(body):
    return sum(multiplication(n) is not None for _, n, _ in body)


def bytes_of(body):
    """The bytes that a warp moves in a loop, without partial sums and what is made of them: these are the only doubles
    in global memory, a few for each block, and who adds them up is done soon."""
    adds_doubles = any(n.split(".")[0] == "DADD" for _, n, _ in body)
    return sum(moved(n) for _, n, _ in body if not (adds_doubles and "64" in n.split(".")))


def row(name, code, resources, moves):
    product = re.match(PRODUCT, name)
    weight = multiplications if product else bytes_of
    body = max(loops(code) or [code], key=weight)
    if weight(body) == 0:
        body = code
    count = len(body)
    kinds = collections.Counter(multiplication(n) for _, n, _ in body)
    registers = re.search(r"REG:(\d+)", resources)
    shared = re.search(r"SHARED:(\d+)", resources)
    stack = re.search(r"STACK:(\d+)", resources)
    about = f"{registers[1] if registers else '?'}, {int(shared[1]) // 1024 if shared else 0} KiB"
    if stack and int(stack[1]):
        about += f", {stack[1]} B of stack"
    if product:
        kind = max((k for k in kinds if k), key=lambda k: kinds[k])
        cycles, peak, of = MULTIPLICATIONS[kind]
        share = min(1, kinds[kind] * cycles / count)
        return (name, about, count, f"{kinds[kind]} {kind}", f"{100 * kinds[kind] / count:.0f} %",
                f"{share * peak:.0f} TFLOP/s of {peak} in {of}", moves)
    size = bytes_of(body)
    if size == 0:
        return name, about, count, "–", "–", "–", moves
    rate = size / count * SLOTS
    bound = "memory" if rate >= MEMORY else f"{rate / 1e9:.0f} GB/s by instructions"
    return name, about, count, f"{size} bytes", f"{size / count:.1f}", bound, moves


def comments():
    """What each kernel's comment says that it moves."""
    found = {}
    for path in sorted(glob.glob(os.path.join(SOURCES, "*.cu"))):
        with open(path) as f:
            text = f.read()
        for m in re.finditer(r"((?:^//[^\n]*\n)+)(?:BLOCK_)?KERNEL\(\d+, (?:LAST\()?(\w+)\)?,", text, re.M):
            said = " ".join(line.lstrip("/ ") for line in m[1].splitlines())
            if moves := re.search(r"[Mm]oves ((?:[^.;]|\.(?=\d))+)", said):
                text_of = moves[1].strip()
                # Kernels of activations with channels last are there for two kinds of numbers.
                for name in (m[2], f"nhwc_{m[2]}_bf16", f"nhwc_{m[2]}_f32"):
                    found[name] = text_of + ")" * (text_of.count("(") - text_of.count(")"))
    return found


def main():
    moves, rows = comments(), {}
    for path in sorted(glob.glob(os.path.join(CUBINS, "*.sm_90.gz"))):
        kernels, resources = disassemble(path)
        for name, code in kernels.items():
            otherwise = "its product's operands and result" if re.match(PRODUCT, name) else "see its comment"
            rows[name] = row(name, code, resources.get(name, ""), moves.get(name, otherwise))
    print(f"""# The kernels' instructions

`make kernel-counts` makes this of the committed cubins for sm_90; nothing is run. Products: how many instructions of
the inner loop multiply, and what that allows on an H100 at most, if nothing else held it up. A multiplication by tensor
cores keeps its pipe busy for four cycles, so a quarter of the instructions is enough. The others: the bytes that an
instruction of a warp moves on average, in the innermost loop with most of them; from {MEMORY / SLOTS:.1f} on memory is
the bound, and not instructions (of `unary` and `power` the loop is within a function, which is the worst that there is:
exponents that nets seldom have; of `update` and `surgery_redraw` it has the instructions and the bytes of all solvers
and rules, of which a segment needs one). Partial sums, which a last block adds up, are left out. What a kernel moves at
least is counted in numbers of four bytes; where its name has bf16, in activations' numbers of two.
**Measured**: not measured, for want of a GPU; `make gpu-report` measures the kernels of a training step.
""")
    print("| kernel | registers, shared memory | instructions of the inner loop | multiplications, or bytes | of the loop, "
          "or bytes an instruction | bound | moves |")
    print("| --- | --- | ---: | ---: | ---: | --- | --- |")
    for name in sorted(rows):
        print("| " + " | ".join(str(c) for c in rows[name]) + " |")


main()
