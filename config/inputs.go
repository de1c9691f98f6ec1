package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Inputs is what stands in place of a net's data layers: random numbers of these shapes.
type Inputs struct {
	// Shapes has one shape, that of an image, or those of all tops of a data layer, whole.
	Shapes [][]int
	// Classes is the number of labels: 0, 1, 2, … below it.
	Classes int
}

// InputsForm is how ParseInputs reads inputs.
const InputsForm = "CxHxW[:classes]"

// ParseInputs reads 3x227x227, 3x227x227:1000, or several shapes with commas between them. "" is nil.
func ParseInputs(text string) (*Inputs, error) {
	if text == "" {
		return nil, nil
	}
	in := &Inputs{Classes: 1}
	shapes, classes, found := strings.Cut(text, ":")
	if found {
		n, err := strconv.Atoi(classes)
		if err != nil || n < 1 || n > 1<<24 { // float32 counts no further
			return nil, fmt.Errorf("%q: %q is not a number of classes; wanted 1 to %d", text, classes, 1<<24)
		}
		in.Classes = n
	}
	for s := range strings.SplitSeq(shapes, ",") {
		var shape []int
		size := 1
		for part := range strings.SplitSeq(s, "x") {
			n, err := strconv.Atoi(part)
			if err != nil || n < 1 || n > math.MaxInt32/size {
				return nil, fmt.Errorf(
					"%q: wanted channels, height and width, such as 3x227x227, or 3x227x227:1000 with classes",
					text,
				)
			}
			shape, size = append(shape, n), size*n
		}
		in.Shapes = append(in.Shapes, shape)
	}
	return in, nil
}
