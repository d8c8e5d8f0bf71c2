package config_test

import (
	"syscall"
	"testing"
	"time"

	"hupwatch/config"
)

func TestOneServiceHasTheDefaultsOfAFile(t *testing.T) {
	s := config.OneService([]string{"/bin/web"}, time.Second).Services[0]
	if s.Instances != 1 || s.Reload != config.ReloadStartFirst || s.ReloadSignal != syscall.SIGHUP || s.Overlap != 500*time.Millisecond || s.Ready != nil || s.Publish != "" {
		t.Errorf("got %+v", s)
	}
}
