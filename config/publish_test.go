package config_test

import (
	"math"
	"testing"

	"hupwatch/config"
)

func TestEachGenerationBindsAPathOfItsOwn(t *testing.T) {
	for generation, want := range map[int]string{1: "/run/web.sock.d/1.sock", math.MaxInt32: "/run/web.sock.d/2147483647.sock"} {
		if got := config.BindPath("/run/web.sock", generation); got != want {
			t.Errorf("generation %d binds %s, want %s", generation, got, want)
		}
	}
}
