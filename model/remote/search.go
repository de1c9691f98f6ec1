package remote

import (
	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
)

func encodeSearch(s *session.Search) *remotepb.Search {
	m := &remotepb.Search{
		Phase: s.Phase, Budget: s.Budget, Dense: s.Dense, Images: int64(s.Images), Descended: s.Descended,
		Before: s.Before, Done: s.Done, Running: s.Running, Taken: s.Taken, Failed: s.Failed,
	}
	if y := s.Trying; y != nil {
		m.Trying = &remotepb.SearchTry{
			Asked: int64(y.Asked), Total: int64(y.Total), From: int64(y.From), Freezes: int64(y.Freezes),
			Ends: int64(y.Ends), IfWithin: int64(y.IfWithin), IfOutside: int64(y.IfOutside),
		}
	}
	for _, p := range s.Points {
		m.Points = append(m.Points, &remotepb.SearchPoint{
			Iter: int64(p.Iter), Kept: int64(p.Kept), Total: int64(p.Total), Path: p.Path,
		})
	}
	for _, b := range s.Branches {
		m.Branches = append(m.Branches, &remotepb.SearchBranch{
			Asked: int64(b.Asked), Kept: int64(b.Kept), Total: int64(b.Total), From: int64(b.From),
			Iters: int64(b.Iters), Accuracy: b.Accuracy, Loss: b.Loss, Inside: b.Inside, Path: b.Path,
		})
	}
	return m
}

func decodeSearch(m *remotepb.Search) *session.Search {
	s := &session.Search{
		Phase: m.GetPhase(), Budget: m.GetBudget(), Dense: m.GetDense(), Images: int(m.GetImages()),
		Descended: m.GetDescended(), Before: m.GetBefore(),
		Done: m.GetDone(), Running: m.GetRunning(), Taken: m.GetTaken(), Failed: m.GetFailed(),
	}
	if y := m.GetTrying(); y != nil {
		s.Trying = &session.SearchTry{
			Asked: int(y.GetAsked()), Total: int(y.GetTotal()), From: int(y.GetFrom()), Freezes: int(y.GetFreezes()),
			Ends: int(y.GetEnds()), IfWithin: int(y.GetIfWithin()), IfOutside: int(y.GetIfOutside()),
		}
	}
	for _, p := range m.GetPoints() {
		s.Points = append(s.Points, session.SearchPoint{
			Iter: int(p.GetIter()), Kept: int(p.GetKept()), Total: int(p.GetTotal()), Path: p.GetPath(),
		})
	}
	for _, b := range m.GetBranches() {
		s.Branches = append(s.Branches, session.SearchBranch{
			Asked: int(b.GetAsked()), Kept: int(b.GetKept()), Total: int(b.GetTotal()), From: int(b.GetFrom()),
			Iters: int(b.GetIters()), Accuracy: b.GetAccuracy(), Loss: b.GetLoss(), Inside: b.GetInside(),
			Path: b.GetPath(),
		})
	}
	return s
}
