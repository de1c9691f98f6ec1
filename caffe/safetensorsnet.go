package caffe

import (
	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/safetensors"
	"dns-tui/files"
	"fmt"
	"io"
)

// IsSafetensorsName reports whether a file of this name is written for PyTorch.
func IsSafetensorsName(path string) bool { return files.HasExt(path, ".safetensors") }

// Masks are the masks of a net's layers, one for each of the first parameters; true is kept.
type Masks map[*caffepb.LayerParameter][][]bool

// prepareSafetensors writes the blobs of a net without masks as tensors, up to the rename.
func prepareSafetensors(path string, n *caffepb.NetParameter, half bool, masks Masks) (*Prepared, error) {
	tensors, err := tensorsOf(n, half, masks)
	if err != nil {
		return nil, &FileError{Path: path, Msg: "not written: " + err.Error(), Err: err}
	}
	return prepare(path, func(w io.Writer) error { return safetensors.Write(w, about(n), tensors) })
}

// about is what a file for PyTorch says of itself.
func about(n *caffepb.NetParameter) map[string]string {
	return map[string]string{"format": "pt", "net": n.GetName()}
}

// WriteSafetensors writes a net without masks for PyTorch: tensors LAYER.weight and LAYER.bias, in Caffe's layout,
// which is PyTorch's. Where half is set they are float16, but for statistics. masks are written as LAYER.weight.mask
// and LAYER.bias.mask.
func WriteSafetensors(path string, n *caffepb.NetParameter, half bool, masks Masks) error {
	p, err := prepareSafetensors(path, n, half, masks)
	if err != nil {
		return err
	}
	defer p.Abort()
	return p.Commit()
}

// tensorsOf names the blobs of a net as PyTorch would: weight and bias; BatchNorm's are divided by the factor that
// Caffe keeps in its third, and are running_mean and running_var. Blobs of LSTM and RNN layers have Caffe's order of
// gates, and other names than PyTorch's, so that nobody takes them for its: blob0, blob1.
func tensorsOf(n *caffepb.NetParameter, half bool, masks Masks) ([]safetensors.Tensor, error) {
	var out, behind []safetensors.Tensor
	var names LayerNames
	for _, l := range n.Layer {
		layer := names.Next(l.GetName(), l.GetType())
		if l.GetType() == "BatchNorm" && len(l.Blobs) == 3 {
			t, err := statistics(layer, l)
			if err != nil {
				return nil, err
			}
			out = append(out, t...)
			continue
		}
		for i, b := range l.Blobs {
			if isAbsent(b) {
				continue // shared with a layer that has it
			}
			if err := CheckBlob(b); err != nil {
				return nil, fmt.Errorf("layer %q: %w", layer, err)
			}
			name := layer + "." + BlobName(l.GetType(), i)
			out = append(out, safetensors.Tensor{Name: name, Shape: Shape(b), Values: Values(b), Half: half})
			if m := masks[l]; i < len(m) {
				behind = append(behind, safetensors.Tensor{Name: name + ".mask", Shape: Shape(b), Bools: m[i]})
			}
		}
	}
	return append(out, behind...), nil
}

// BlobName is what blob i of a layer of a type is called where blobs have names: weight, bias, or blob2.
func BlobName(t string, i int) string {
	switch {
	case t == "LSTM" || t == "RNN" || i > 1:
		return fmt.Sprintf("blob%d", i)
	case t == "Bias" || i == 1:
		return "bias"
	}
	return "weight"
}

// statistics are mean and variance of a BatchNorm layer.
func statistics(layer string, l *caffepb.LayerParameter) ([]safetensors.Tensor, error) {
	factor := Values(l.Blobs[2])
	if len(factor) != 1 {
		return nil, fmt.Errorf("layer %q: a factor of %d values, wanted 1", layer, len(factor))
	}
	scale := float32(0)
	if factor[0] != 0 {
		scale = 1 / factor[0]
	}
	var out []safetensors.Tensor
	for i, name := range []string{"running_mean", "running_var"} {
		b := l.Blobs[i]
		if err := CheckBlob(b); err != nil {
			return nil, fmt.Errorf("layer %q: %w", layer, err)
		}
		values := make([]float32, len(Values(b)))
		for k, v := range Values(b) {
			values[k] = v * scale
		}
		out = append(out, safetensors.Tensor{Name: layer + "." + name, Shape: Shape(b), Values: values})
	}
	return out, nil
}
