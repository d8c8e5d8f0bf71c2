package services

import (
	"fmt"
	"slices"

	"hupwatch/services/lifecycle"
	"hupwatch/services/process"
)

// Ledger keeps on disk what lives, so that a later hupwatch knows it.
type Ledger interface {
	// Intend says that a generation is about to get a process: a later hupwatch finds
	// it by its mark. Settle says that it did not get one, or that it is in what was
	// saved.
	Intend(service string, generation int) error
	Settle(service string, generation int)
	// Save replaces what is known of a service: what lives of it, and what somebody
	// asked it to be.
	Save(service string, living []Living, wanted lifecycle.Wanted) error
}

// Archive keeps what outlives a reboot. Keep must not block.
type Archive interface {
	Keep(service string, r lifecycle.Record)
}

// Living is one generation in the ledger.
type Living struct {
	Generation int
	Instance   int
	Phase      lifecycle.Phase
	process.Identity
}

// intend writes down that a process is about to be made.
func (w *Watcher) intend(generation int) error {
	if err := w.host.Ledger.Intend(w.machine.Name, generation); err != nil {
		return w.notWritten(err)
	}
	w.intended = append(w.intended, generation)
	return nil
}

// save writes down what lives, if that changed. What comes together, as a process and
// its exec do, is written together. What cannot be written is logged and tried again.
func (w *Watcher) save() {
	var living []Living
	for _, g := range w.machine.Living() {
		one := Living{Generation: g.Generation, Instance: g.Instance, Phase: g.Phase}
		if p := w.process(g.Generation); p != nil {
			one.Identity = p.Identity()
		}
		living = append(living, one)
	}
	recorded := slices.DeleteFunc(slices.Clone(living), func(l Living) bool { return l.PID == 0 })
	// A generation that is gone may stay on record as long as others do: its Identity
	// differs from that of a process that gets its number.
	news := slices.ContainsFunc(recorded, func(l Living) bool { return !slices.Contains(w.saved, l) })
	emptied := len(recorded) == 0 && len(w.saved) > 0
	if wanted := w.machine.Wanted(); news || emptied || wanted != w.wanted {
		if err := w.host.Ledger.Save(w.machine.Name, recorded, wanted); err != nil {
			_ = w.notWritten(err)
			return
		}
		w.saved, w.wanted, w.unsaved = recorded, wanted, ""
	}
	w.intended = slices.DeleteFunc(w.intended, func(generation int) bool {
		if slices.ContainsFunc(living, func(l Living) bool { return l.Generation == generation && l.PID == 0 }) {
			return false
		}
		w.host.Ledger.Settle(w.machine.Name, generation)
		return true
	})
}

// recordLost is an input: the ledger has lost what was saved.
type recordLost struct{ lifecycle.Input }

// RecordLost has the watcher save again what lives of its service. It does not block.
func (w *Watcher) RecordLost() { w.Post(recordLost{}) }

// saveAgain writes down again what was lost; the end of the turn saves the rest.
func (w *Watcher) saveAgain() {
	w.saved, w.wanted = nil, ""
	for _, generation := range w.intended {
		if err := w.host.Ledger.Intend(w.machine.Name, generation); err != nil {
			_ = w.notWritten(err)
		}
	}
}

// notWritten reports an error of the ledger, the same one only once.
func (w *Watcher) notWritten(err error) error {
	err = fmt.Errorf("write state: %w", err)
	if text := err.Error(); text != w.unsaved {
		w.unsaved = text
		w.trouble(err)
	}
	return err
}
