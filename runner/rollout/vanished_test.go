package rollout

import (
	"strings"
	"testing"

	"hupwatch/config"
	"hupwatch/runner/control"
)

// included is a configuration whose services are in these files: "a.toml: web api".
func included(files ...string) *config.Config {
	c := fileOf(4)
	for _, f := range files {
		file, names, _ := strings.Cut(f, ": ")
		for _, s := range fileOf(4, strings.Fields(names)...).Services {
			c.Services = append(c.Services, s)
			c.Files[s.Name] = file
		}
	}
	return c
}

// An empty directory of includes stopped everything, and the reload was done.
func TestAReloadThatWouldStopMostServicesWithTheirFilesIsRefused(t *testing.T) {
	before := []string{"main: a", "b.toml: b c", "d.toml: d", "e.toml: e"}
	for name, test := range map[string]struct {
		now     []string
		refused bool
	}{
		"all files are gone":              {nil, true},
		"most are":                        {[]string{"main: a", "d.toml: d"}, true},
		"fewer than half of the services": {[]string{"main: a", "b.toml: b c"}, false},
		"one file":                        {[]string{"main: a", "b.toml: b c", "d.toml: d"}, false},
		"other files have the services":   {[]string{"all.toml: a b c d e"}, false},
		"most sections, not their files":  {[]string{"b.toml: x", "d.toml: y", "main: a", "e.toml: z"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			r := booted(included(before...))
			r.Step(Hangup{})
			effects := wants(r.Step(ConfigRead{Config: included(test.now...)}))
			if refused := len(effects) == 1 && effects[0] == "reload refused"; refused != test.refused {
				t.Fatalf("it wants %q, refused is to be %v", effects, test.refused)
			}
			if test.refused != (r.ConfigError != "") {
				t.Errorf("status says %q", r.ConfigError)
			}

			// A client is told, and can insist.
			r = booted(included(before...))
			r.Step(Asked{Token: 1, Demand: Demand{What: VerbReload}})
			told := r.Step(ConfigRead{Config: included(test.now...)})
			if !test.refused {
				return
			}
			e, ok := told[0].(Rejected)
			if !ok || len(told) != 1 || e.Reason != control.ReasonConfig || !strings.Contains(e.Text, "hupwatch reload --prune") || !strings.Contains(e.Text, "b.toml") {
				t.Errorf("a client is told %+v", told)
			}
			r.Step(Asked{Token: 2, Demand: Demand{What: VerbReload, Prune: true}})
			if effects := strings.Join(wants(r.Step(ConfigRead{Config: included(test.now...)})), ", "); !strings.Contains(effects, "b Stop, c Stop") {
				t.Errorf("asked to, it wants %s", effects)
			}
		})
	}
}

// A reload of some services stops none, and must not make hupwatch forget which files
// the others were in.
func TestAReloadOfOneServiceGoesOnWithoutTheFilesOfOthers(t *testing.T) {
	r := booted(included("main: a", "b.toml: b c"))
	r.Step(Asked{Token: 1, Demand: Demand{What: VerbReload, Names: []string{"a"}}})
	want(t, r, ConfigRead{Config: included("main: a")}, "accept 1 as 1", "a Reload")
	r.Step(Hangup{})
	want(t, r, ConfigRead{Config: included("main: a")}, "reload refused")
}
