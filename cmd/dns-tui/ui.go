package main
import "context"
func runUI(ctx context.Context, e *env, args []string) error { return runTrain(ctx,e,args) }
