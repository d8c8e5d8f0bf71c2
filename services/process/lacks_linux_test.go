package process

import (
	"strings"
	"testing"
)

func TestItIsSaidWhatFollowsFromAProcThatIsNotThere(t *testing.T) {
	t.Parallel()
	if got := lacks("/proc"); len(got) > 0 {
		t.Errorf("with /proc something is missing: %q", got)
	}
	dir := t.TempDir()
	if got := lacks(dir); len(got) != 1 || !strings.Contains(got[0], "mount -t proc proc "+dir) {
		t.Errorf("without, it says %q", got)
	}
}
