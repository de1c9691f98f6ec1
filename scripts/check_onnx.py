"""Runs the graphs of build/onnx in onnxruntime, and compares with what dns-tui made of the same inputs.

`go test -tags onnx -run TestRuns ./model/onnx` writes them. Each blob is compared, and each output of the graph as it
is: within TOLERANCE of the largest value of the blob.
"""
import glob
import json
import os
import sys

import numpy
import onnx
import onnxruntime

TOLERANCE = 1e-4


def session(model):
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def difference(ours, theirs):
    """The largest difference, as a part of the largest value."""
    if ours.shape != theirs.shape:
        return float("inf"), f"{theirs.shape}, wanted {ours.shape}"
    if not numpy.array_equal(numpy.isnan(ours), numpy.isnan(theirs)):
        return float("inf"), "nan"
    ours, theirs = numpy.nan_to_num(ours), numpy.nan_to_num(theirs)
    most = numpy.abs(ours - theirs).max(initial=0.0)
    return (float(most / max(numpy.abs(ours).max(initial=0.0), 1e-30)) if most else 0.0), ""


def check(path):
    """Returns of a graph its report, the largest difference and where it is."""
    with open(path, encoding="utf-8") as f:
        report = json.load(f)
    values = numpy.fromfile(path[:-5] + ".bin", "<f4")

    def array(a):
        start = a["offset"] // 4
        return values[start : start + int(numpy.prod(a["shape"], dtype=int))].reshape(a["shape"])

    name = path[:-5] + ".onnx"
    onnx.checker.check_model(name, full_check=True)
    model = onnx.load(name, load_external_data=False)
    if [o.name for o in model.graph.output] != report["outputs"]:
        raise ValueError("other outputs")
    plain = session(name)
    blobs = sorted({b for r in report["runs"] for b in r["blobs"]} - set(report["outputs"]))
    model.graph.output.extend(onnx.ValueInfoProto(name=b) for b in blobs)
    every = name[:-5] + ".every.onnx"
    onnx.save(model, every)
    worst, where = 0.0, ""
    opened = session(every) if blobs else None
    os.remove(every)
    for run in report["runs"]:
        feed = {k: array(a) for k, a in run["inputs"].items()}
        results = list(zip(report["outputs"], plain.run(report["outputs"], feed)))
        if opened:
            results += zip(blobs, opened.run(blobs, feed))
        for blob, theirs in results:
            d, why = difference(array(run["blobs"][blob]), theirs)
            if d > worst or not where:
                worst, where = d, blob + (" " + why if why else "")
    return report, worst, where


def main():
    paths = sorted(glob.glob("build/onnx/*.json"))
    if not paths:
        sys.exit("build/onnx has no graphs")
    print(f"onnx {onnx.__version__}, onnxruntime {onnxruntime.__version__}, {len(paths)} graphs")
    print(f"{'net':56} {'nodes':>5}  largest difference, as a part of the blob's largest value")
    failed = 0
    for path in paths:
        try:
            report, worst, where = check(path)
        except Exception as error:  # whatever onnx and its runtime have to say of a graph
            failed += 1
            print(f"{os.path.basename(path)[:-5]:56}        {str(error).splitlines()[0][:300]}")
            continue
        mark = "" if worst <= TOLERANCE else "  TOO LARGE"
        failed += bool(mark)
        print(f"{report['name']:56} {report['nodes']:5}  {worst:.1e}  {where}{mark}")
    if failed:
        sys.exit(f"{failed} of {len(paths)} graphs are not what the net is")
    print(f"all within {TOLERANCE:g}")


main()
