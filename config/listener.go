package config

import (
	"errors"
	"fmt"
	"slices"
)

func decodeListen(t *table, k *Key, v any) {
	elements, ok := list(v)
	if !ok {
		t.mistyped(k, v)
		return
	}

	// An address with a problem keeps its place, so that the others keep theirs.
	listeners := make([]Listen, len(elements))
	for i, e := range elements {
		listeners[i] = t.listener(joinIndex(k.Name, i), e)
	}
	t.service.Listen = listeners
}

func (t *table) listener(at string, v any) Listen {
	l := t.base.listen
	values, isTable := v.(map[string]any)
	if s, ok := v.(string); ok {
		t.address(at, s, &l)
		return l
	}
	if !isTable {
		t.problem(at, fmt.Errorf(`expected an address, like "tcp://127.0.0.1:8000", or a table, like { address = "unix:///run/web.sock" }, not %s`, typeName(v)))
		return l
	}

	sub := &table{loader: t.loader, source: t.source, section: sectionListen, path: t.absolute(at), given: values, listen: &l}
	sub.decode()
	if _, ok := values["address"]; !ok {
		sub.problem("", errors.New(`no address: write { address = "tcp://127.0.0.1:8000" }`))
	}
	sub.onlyUnix()
	return l
}

// onlyUnix reports what a listener on a port cannot have.
func (t *table) onlyUnix() {
	if t.listen.Network == "unix" || t.listen.Network == "" {
		return
	}
	for _, name := range []string{"mode", "user", "group"} {
		if _, ok := t.given[name]; ok {
			t.problem(name, errors.New("only a unix socket has permissions: leave it out"))
		}
	}
}

func decodeAddress(t *table, k *Key, v any) {
	s, ok := v.(string)
	if !ok {
		t.mistyped(k, v)
		return
	}
	t.address(k.Name, s, t.listen)
}

func (t *table) address(at, s string, l *Listen) {
	s, ok := t.expand(at, s)
	if !ok {
		return
	}
	network, address, err := parseAddress(s, t.source.dir)
	if err != nil {
		t.problem(at, err)
		return
	}
	l.Network, l.Address = network, address
}

func decodeListenName(t *table, k *Key, v any) {
	s, ok := v.(string)
	if !ok {
		t.mistyped(k, v)
		return
	}
	if err := checkListenName(s); err != nil {
		t.problem(k.Name, err)
		return
	}
	t.listen.Name = s
}

// claimAddresses gives a name to the sockets that have none, and reports addresses
// that are taken already.
func (t *table) claimAddresses() {
	from := t
	if _, own := t.given["listen"]; !own {
		from = t.defaultsTable
		t.service.Listen = slices.Clone(t.service.Listen)
	}

	for i := range t.service.Listen {
		l := &t.service.Listen[i]
		if l.Name == "" {
			l.Name = t.service.Name
		}
		if l.Network != "" {
			from.claim(claim{Listen: *l, service: t.service.Name, source: from.source, path: from.absolute(joinIndex("listen", i))})
		}
	}
}
