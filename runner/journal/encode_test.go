package journal

import (
	"encoding/json"
	"testing"
	"time"

	"hupwatch/services/lifecycle"
)

// BenchmarkEncodeEvent shows why lines are made by hand: a HUP of 1000 services is 7000
// events, which nobody is answered before.
func BenchmarkEncodeEvent(b *testing.B) {
	e := lifecycle.Event{
		Seq: 4711, At: time.Unix(1795971242, 335528281), Kind: lifecycle.KindReloadEnded, Service: "web", Generation: 12, PID: 4711,
		Role: lifecycle.RoleActive, Reloads: []uint64{17}, Cause: lifecycle.CauseReload, Result: lifecycle.ResultPromoted,
		Release: "/srv/web/releases/20261129", Serving: 12, ServingRelease: "/srv/web/releases/20261129", Elapsed: 1900 * time.Millisecond, Wait: 10 * time.Second,
	}
	b.Run("by hand", func(b *testing.B) {
		b.ReportAllocs()
		var line []byte
		for b.Loop() {
			line = appendEvent(line[:0], &e)
		}
		b.SetBytes(int64(len(line)))
	})
	b.Run("encoding/json", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := json.Marshal(&e); err != nil {
				b.Fatal(err)
			}
		}
	})
}
