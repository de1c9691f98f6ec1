package parity
import ("testing";"os";"dns-tui/gpu/host")
func TestTmp(t *testing.T){ d:=host.New(host.Options{}); t.Log(d.Name()); for _,x:=range []string{"layers","solvers"} { if _,err:=Dir("/work/shared/oracle/"+x,d,os.Stdout);err!=nil{t.Fatal(err)}} }
