package remote

import (
	"fmt"
	"go/types"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/tools/go/packages"
	"google.golang.org/protobuf/proto"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/autopilot"
	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// changes are changes of each kind that a snapshot can hold, with each field set.
func changes(fill func(any)) []session.Change {
	var edits []config.Edited
	var surgery session.Surgery
	var ramp session.Ramp
	var moved session.Moved
	var taken session.Taken
	var unknown session.Unknown
	var told session.AutopilotChange
	for _, p := range []any{&edits, &surgery, &ramp, &moved, &taken, &unknown, &told} {
		fill(p)
	}
	out := []session.Change{
		{Edits: edits}, {Surgery: &surgery}, {Surgery: &session.Surgery{}}, {Ramp: &ramp}, {Moved: &moved},
		{Taken: &taken},
		{Unknown: &unknown}, {Autopilot: &told},
	}
	for i := range out {
		out[i].Iter, out[i].By, out[i].Seq, out[i].Time = i+1, "anna", i+2, int64(i+3)
	}
	return out
}

// payloads are all that an event can tell, with each field set.
func payloads(fill func(any)) []session.Payload {
	all := []session.Payload{
		session.Notice{}, session.Warning{}, session.CommandRejected{}, session.SurgeryDone{}, session.PlanMade{},
		session.PlanCanceled{}, session.PlanRejected{}, session.RampBegun{}, session.RampResumed{}, session.RampDone{},
		session.SnapshotWritten{}, session.SnapshotFailed{}, session.JournalFailed{}, session.JournalWritten{},
		session.TestDone{}, session.TestInterrupted{}, session.SensitivityMeasured{}, session.SensitivityFailed{},
		session.NetMeasured{}, session.MeasuringFailed{}, session.GateClosed{}, session.Collapsed{},
		session.SignalRestored{}, session.LayerEmptied{}, session.WentBack{},
		session.RunBegun{}, session.RunFinished{}, session.RunFailed{}, session.Progress{}, session.TextEvent{},
		session.AutopilotChanged{}, session.AutopilotDone{}, session.AutopilotRetreated{},
	}
	for i, w := range all {
		v := reflect.New(reflect.TypeOf(w))
		fill(v.Interface())
		all[i] = v.Elem().Interface().(session.Payload)
	}
	for _, c := range changes(fill) {
		all = append(all, session.ChangeApplied{Change: c})
	}
	return all
}

// filler sets every field that it reaches to something else than the last.
type filler struct{ n int }

func (f *filler) fill(p any) { f.value(reflect.ValueOf(p).Elem()) }

func (f *filler) value(v reflect.Value) {
	f.n++
	switch v.Type() {
	case reflect.TypeFor[config.Param]():
		v.SetUint(uint64(config.BaseLR) + uint64(f.n)%uint64(config.ThetaEvery))
		return
	case reflect.TypeFor[session.State]():
		v.SetInt(int64(session.Testing))
		return
	case reflect.TypeFor[time.Time]():
		v.Set(reflect.ValueOf(time.Unix(int64(f.n), 5)))
		return
	case reflect.TypeFor[[]session.Change]():
		v.Set(reflect.ValueOf(changes(f.fill)))
		return
	case reflect.TypeFor[[]session.Event]():
		var events []session.Event
		for i, w := range payloads(f.fill) {
			events = append(events, session.Event{Seq: i + 1, Iter: i + 2, By: "ben", What: w})
		}
		v.Set(reflect.ValueOf(events))
		return
	case reflect.TypeFor[autopilot.Settings](): // others than the defaults, which go with each other
		s, err := autopilot.DefaultSettings().With(settings...)
		if err != nil {
			panic(err)
		}
		v.Set(reflect.ValueOf(s))
		return
	case reflect.TypeFor[autopilot.Schedule]():
		v.Set(reflect.ValueOf(autopilot.Schedule{
			Shape: autopilot.CyclicShape, Begin: f.n, End: f.n + 9, Interval: 3, From: 9.5, To: 2, Cycles: 2, Anneal: 5,
		}))
		return
	case reflect.TypeFor[autopilot.Target]():
		v.Set(reflect.ValueOf(autopilot.Target{Unit: autopilot.Times, Value: float64(f.n)}))
		return
	case reflect.TypeFor[session.AutopilotAction]():
		v.Set(reflect.ValueOf(session.AutopilotPredict))
		return
	case reflect.TypeFor[*solver.Histogram]():
		r := &gpu.SurgeryResult{KeptAt: make([]uint32, gpu.HistogramBins), PrunedAt: make([]uint32, gpu.HistogramBins)}
		r.KeptAt[f.n%gpu.HistogramBins], r.PrunedAt[3] = 7, uint32(f.n)
		h := solver.NewHistogram(gpu.PaperRule, r)
		h.Mu, h.Sigma, h.DeathThresholds = float64(f.n), 0.5, []float32{0.5, float32(f.n)}
		v.Set(reflect.ValueOf(h))
		return
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int32, reflect.Int64:
		v.SetInt(int64(f.n))
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(uint64(f.n % 200))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(f.n) + 0.5)
	case reflect.String:
		v.SetString(fmt.Sprint("text ", f.n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.value(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		f.value(v.Index(0))
		f.value(v.Index(1))
	case reflect.Array:
		for i := range v.Len() {
			f.value(v.Index(i))
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				f.value(v.Field(i))
			}
		}
	default:
		panic(fmt.Sprintf("no value for a %s", v.Type()))
	}
}

// settings are one for each option of the autopilot, but for those that go with no other.
var settings = []autopilot.Setting{
	{Name: "target", Value: "310x"}, {Name: "layers", Value: "conv1 ip1"}, {Name: "exclude", Value: "ip2"},
	{Name: "floor", Value: "conv1=3"}, {Name: "ceiling", Value: "conv1=90%"}, {Name: "pin", Value: "ip1"},
	{Name: "scale", Value: "lamp"}, {Name: "schedule", Value: "cyclic"}, {Name: "start_iter", Value: "3"},
	{Name: "end_iter", Value: "12"}, {Name: "interval", Value: "4"}, {Name: "start_kept", Value: "20x"},
	{Name: "anneal_iter", Value: "7"}, {Name: "cycles", Value: "2"}, {Name: "exponent", Value: "inf"},
	{Name: "theta", Value: "0.25"}, {Name: "theta_every", Value: "6"}, {Name: "accuracy_drop", Value: "0.125"},
	{Name: "loss_factor", Value: "7"}, {Name: "retries", Value: "4"},
}

// unset lists the fields of a message that are not set, but for those of the version before.
func unset(v reflect.Value, path string) []string {
	if v.Type() == reflect.TypeFor[autopilot.Settings]() {
		return nil // settings: those that go with each other
	}
	var out []string
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				out = append(out, unset(v.Field(i), path+"."+f.Name)...)
			}
		}
	case reflect.Interface, reflect.Pointer:
		if v.IsNil() {
			return []string{path}
		}
	default:
		if v.IsZero() {
			return []string{path}
		}
	}
	return out
}

// Every field of a snapshot arrives, whatever is in it: a field that is added to one has to be added to the wire.
func TestEveryFieldArrives(t *testing.T) {
	var f filler
	s := &session.Snapshot{}
	f.fill(s)
	for i := range s.Layers { // a layer has settings under its name
		s.Layers[i].Name = s.Hyper.Layers[i].Name
	}
	for _, c := range []*session.Series{
		&s.Losses, &s.Smooth, &s.Rates, &s.KeptFraction, &s.Speed, &s.Accuracy, &s.TestLoss,
		&s.Utilization, &s.DeviceMemory, &s.Temperature,
	} {
		c.Values = c.Values[:len(c.Iters)]
	}
	if missing := unset(reflect.ValueOf(*s), "Snapshot"); missing != nil {
		t.Fatalf("the test does not fill %v", missing)
	}
	wire, err := proto.Marshal(encodeSnapshot(s, nil))
	if err != nil {
		t.Fatal(err)
	}
	var m remotepb.State
	if err := proto.Unmarshal(wire, &m); err != nil {
		t.Fatal(err)
	}
	got, err := decodeSnapshot(&m, nil)
	if err != nil {
		t.Fatal(err)
	}
	same := []cmp.Option{
		cmp.Comparer((*config.Hyper).Equal), cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }),
		cmp.Comparer(func(a, b session.Series) bool {
			return cmp.Equal(a.Iters, b.Iters) && cmp.Equal(a.Values, b.Values) && a.Epoch == b.Epoch
		}),
		cmpopts.IgnoreUnexported(session.RestorePoint{}, session.Unknown{}), // of the run's process alone
	}
	if d := cmp.Diff(s, got, same...); d != "" {
		t.Errorf("differs (-sent +arrived):\n%s", d)
	}
}

// Curves of the device are sent as they grow, and a run of a program that has none is read without them, as its own are
// passed over by a viewer that knows none.
func TestDeviceCurves(t *testing.T) {
	before := &session.Snapshot{Hyper: &config.Hyper{}}
	before.Utilization.Add(1, 0.5)
	before.DeviceMemory.Add(1, 1<<30)
	before.Temperature.Add(1, 40)
	after := *before
	after.Utilization.Add(2, 0.75)
	after.DeviceMemory.Add(2, 2<<30)
	after.Temperature.Add(2, 41)
	got, err := decodeSnapshot(encodeSnapshot(before, nil), nil)
	if err != nil {
		t.Fatal(err)
	}
	m := encodeSnapshot(&after, before)
	if n := len(m.DeviceSeries[0].Values); n != 1 {
		t.Errorf("%d points are sent, of which one is new", n)
	}
	if got, err = decodeSnapshot(m, got); err != nil {
		t.Fatal(err)
	}
	for i, c := range deviceSeries(got) {
		want := deviceSeries(&after)[i]
		if !cmp.Equal(c.Iters, want.Iters) || !cmp.Equal(c.Values, want.Values) {
			t.Errorf("curve %d arrives as %v %v, wanted %v %v", i, c.Iters, c.Values, want.Iters, want.Values)
		}
	}
	older := encodeSnapshot(before, nil)
	older.DeviceSeries = nil
	if got, err := decodeSnapshot(older, nil); err != nil || len(got.Utilization.Values) != 0 {
		t.Errorf("a run without them: %v, %v", got, err)
	}
	cut := encodeSnapshot(before, nil)
	cut.DeviceSeries = cut.DeviceSeries[:2]
	if _, err := decodeSnapshot(cut, nil); err == nil {
		t.Error("two of three are taken")
	}
}

// The list of payloads is whole: an event that is added to a session has to be added to the wire.
func TestEveryPayloadIsListed(t *testing.T) {
	all, err := packages.Load(&packages.Config{
		Mode: packages.NeedName | packages.NeedImports | packages.NeedDeps | packages.NeedTypes |
			packages.NeedExportFile,
	}, "dns-tui/model/session")
	if err != nil || len(all) != 1 || len(all[0].Errors) > 0 {
		t.Fatalf("%v, %v", err, all)
	}
	scope := all[0].Types.Scope()
	payload := scope.Lookup("Payload").Type().Underlying().(*types.Interface)
	listed := map[string]bool{}
	for _, w := range payloads(func(any) {}) {
		listed[reflect.TypeOf(w).Name()] = true
	}
	for _, name := range scope.Names() {
		o, ok := scope.Lookup(name).(*types.TypeName)
		if ok && name != "Payload" && types.Implements(o.Type(), payload) && !listed[name] {
			t.Errorf("%s is not sent in this test", name)
		}
	}
	for _, w := range payloads(func(any) {}) {
		_, isText := w.(session.TextEvent)
		sent, err := decodeEvent(encodeEvent(&session.Event{What: w}))
		if _, fell := sent.What.(session.TextEvent); err != nil || fell && !isText {
			t.Errorf("%T arrives as %T, %v", w, sent.What, err)
		}
	}
}

// Every field of a command arrives.
func TestEveryCommandArrives(t *testing.T) {
	for k := session.Set; ; k++ {
		if _, ok := session.KindOf(k.String()); !ok {
			break
		}
		var f filler
		c := session.Command{}
		f.fill(&c)
		c.Kind, c.By = k, ""
		if k != session.Schedule {
			c.Plan = session.Plan{}
		}
		if k != session.Look {
			c.Area = session.Area{}
		}
		if k != session.Steer {
			c.Autopilot = session.AutopilotRequest{}
		}
		got, err := decodeCommand(encodeCommand(1, c))
		if d := cmp.Diff(c, got); d != "" || err != nil {
			t.Errorf("%s: %v, differs (-sent +arrived):\n%s", k, err, d)
		}
	}
}

// The wire has the parameters by the same numbers and names.
func TestParamsOnTheWire(t *testing.T) {
	names := map[config.Param]string{config.AnyThreshold: "any_threshold"}
	for n, name := range remotepb.Param_name {
		p := config.Param(n)
		want := p.String()
		if names[p] != "" {
			want = names[p]
		}
		if got := lower(name); n != 0 && got != want {
			t.Errorf("parameter %d is %s on the wire and %s in config", n, got, want)
		}
	}
	if last := config.Param(len(remotepb.Param_name) - 1); last != config.ThetaEvery {
		t.Errorf("the last parameter on the wire is %s", last)
	}
}

func lower(s string) string {
	b := []byte(s)
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c - 'A' + 'a'
		}
	}
	return string(b)
}
