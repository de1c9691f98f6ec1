// Package autopilot finds the thresholds of a net: so many weights are to be kept, or bytes, or multiply-accumulates,
// and each layer gets the threshold that makes it so. It is arithmetic alone: it knows no device, no clock and no file,
// and gives the same for the same. A session drives a run with it.
//
//   - Target, Budget: what is wanted, as a person says it, and what that allows a net.
//   - Layer, Scale, Solver: a layer's entries by magnitude, how the layers compare, and the cuts that meet a budget.
//   - Schedule: the budget of each iteration, from where a descent begins to its target, and then the anneal.
//   - Settings, Option: all that can be set, in a solver's file, by flags and live.
//   - Descent: what settings come to in a run, with the reason of each number that nobody set.
package autopilot
