package host

//go:noescape
func winogradInput(src *float32, rowStep, columnStep int, dst *float32, step, n int)

//go:noescape
func winogradOutput(src *float32, step int, bias, dst *float32, rowStep, columnStep, n int)

//go:noescape
func winogradWeights(src *float32, tapStep int, dst *float32, step, n int)

//go:noescape
func winogradGradient(src *float32, rowStep, columnStep int, dst *float32, step, next, n int)

//go:noescape
func winogradKernels(src *float32, step int, dst *float32, tapStep, n int)

//go:noescape
func winogradOutput5(src *float32, step int, bias, dst *float32, rowStep, columnStep, n int)

//go:noescape
func winogradWeights5(src *float32, tapStep int, dst *float32, step, n int)

//go:noescape
func winogradGradient5(src *float32, rowStep, columnStep int, dst *float32, step, next, n int)

//go:noescape
func winogradKernels5(src *float32, step int, dst *float32, tapStep, n int)
