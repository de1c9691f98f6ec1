"""PyTorch's modules of Caffe's training nets, made of the prototxt itself: for bench_peers.py and gpu_peers.py."""

import re

import torch
import torch.nn.functional as F


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
