package lifecycle

import (
	"testing"

	"hupwatch/services/release"
)

func TestAReleaseIsNamedByTheEndOfItsPathToo(t *testing.T) {
	t.Parallel()
	h := History{
		{Release: &release.Release{Dir: "/srv/web/releases/12"}},
		{Release: &release.Release{Dir: "/srv/web/releases/2"}},
		{Release: &release.Release{Dir: "/srv/old/releases/12"}},
		{Release: &release.Release{Dir: "/srv/web/releases/2"}, Well: true},
	}
	for name, want := range map[string]string{
		"/srv/web/releases/2": "/srv/web/releases/2", "2": "/srv/web/releases/2", "releases/2/": "/srv/web/releases/2",
		"12": "", "web/releases/12": "/srv/web/releases/12", "releases": "", "3": "", "eb/releases/2": "",
	} {
		got := ""
		if r := h.in(name); r != nil {
			got = r.Dir
		}
		if got != want {
			t.Errorf("%q is %q, want %q", name, got, want)
		}
	}
}
