package solver

import (
	"math"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
)

// Rate is the learning rate of an iteration by the solver's policy, from base (Caffe's SGDSolver::GetLearningRate):
//
//	fixed      base
//	step       base · gamma^floor(iter/stepsize)
//	exp        base · gamma^iter
//	inv        base · (1 + gamma·iter)^(-power)
//	multistep  base · gamma^(stepvalues reached)
//	poly       base · (1 - iter/max_iter)^power
//	sigmoid    base / (1 + exp(-gamma·(iter - stepsize)))
func Rate(s *caffepb.SolverParameter, base float64, iter int) float64 {
	i, gamma, power := float64(iter), caffe.Widen(s.GetGamma()), caffe.Widen(s.GetPower())
	switch s.GetLrPolicy() {
	case "step":
		return base * math.Pow(gamma, float64(iter/int(s.GetStepsize())))
	case "exp":
		return base * math.Pow(gamma, i)
	case "inv":
		return base * math.Pow(1+gamma*i, -power)
	case "multistep":
		return base * math.Pow(gamma, float64(stepsReached(s, iter)))
	case "poly":
		return base * math.Pow(1-i/float64(s.GetMaxIter()), power)
	case "sigmoid":
		return base / (1 + math.Exp(-gamma*(i-float64(s.GetStepsize()))))
	}
	return base
}

// stepsReached counts the stepvalues of multistep that an iteration has reached: Caffe's current_step.
func stepsReached(s *caffepb.SolverParameter, iter int) int {
	n := 0
	for _, v := range s.GetStepvalue() {
		if iter >= int(v) {
			n++
		}
	}
	return n
}
