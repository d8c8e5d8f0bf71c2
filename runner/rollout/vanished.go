package rollout

import (
	"fmt"
	"slices"
	"strings"

	"hupwatch/config"
)

// A reload of everything stops the services that are not in the file any more. If most of
// them are gone together with their files, a deploy that broke is more likely than
// somebody who wants that, and it would stop the whole host.

// Vanished says why a reload of everything with this configuration is refused unless
// somebody asks for it: it would stop more than half of all services, because the files
// that they were in are gone, or are empty now. Files has the file of each service that
// hupwatch runs. Empty if it is not refused.
func Vanished(files map[string]string, c *config.Config) string {
	used := make(map[string]bool)
	for _, file := range c.Files {
		used[file] = true
	}
	var gone, from []string
	for name, file := range files {
		if _, ok := c.Service(name); !ok && !used[file] && file != "" {
			gone, from = append(gone, name), append(from, file)
		}
	}
	if 2*len(gone) <= len(files) {
		return ""
	}
	slices.Sort(gone)
	slices.Sort(from)
	from = slices.Compact(from)
	have := "are gone, or have no service any more"
	if len(from) == 1 {
		have = "is gone, or has no service any more"
	}
	return fmt.Sprintf("a reload of all would stop %d of %d services (%s): %s %s; nothing was changed: put them back, or, if that is meant, hupwatch reload --prune",
		len(gone), len(files), few(gone, fewNames), few(from, fewNames), have)
}

// fewNames is how many services, or files, a message names that is about more than these.
const fewNames = 5

// few are the first of the words, so many at most, and how many more there are.
func few(words []string, most int) string {
	text := strings.Join(words[:min(most, len(words))], ", ")
	if len(words) > most {
		text += fmt.Sprintf(" and %d more", len(words)-most)
	}
	return text
}

// vanished refuses a request that would stop most services without having been asked to.
func (r *Rollout) vanished(a Asked, c *config.Config) string {
	if a.Names != nil || a.What != VerbReload || a.Prune {
		return ""
	}
	return Vanished(r.Files(), c)
}

// Files has the file of each service that the configuration names, or named when it was
// last applied to that service.
func (r *Rollout) Files() map[string]string {
	files := make(map[string]string)
	for name, named := range r.declared {
		if named {
			files[name] = r.files[name]
		}
	}
	return files
}
