package config

import (
	"errors"
	"slices"
)

// Compat is another protocol for inherited sockets.
type Compat string

// CompatServerStarter is the protocol of Server::Starter, SERVER_STARTER_PORT.
const CompatServerStarter Compat = "server-starter"

func decodeCompat(t *table, k *Key, v any) {
	known := []string{string(CompatServerStarter)}
	hints := wordHints{instead: map[string]string{"start_server": "server-starter", "start-server": "server-starter", "server::starter": "server-starter", "starlet": "server-starter"}}

	var protocols []Compat
	t.stringElements(k, v, func(at, s string) {
		switch {
		case slices.Contains(known, s):
			protocols = append(protocols, Compat(s))
		case s == "systemd":
			t.problem(at, errors.New("LISTEN_FDS is always there: remove this"))
		default:
			t.problem(at, unknownWord(s, known, hints))
		}
	})
	t.service.Compat = protocols
}

// checkCompat reports a protocol for sockets if the service has no sockets.
func (t *table) checkCompat() {
	if t.place("compat") != "" && len(t.service.Compat) > 0 && len(t.service.Listen) == 0 && t.sound("listen") {
		t.problem("compat", errors.New("it tells of the sockets in listen, and there are none: add listen, or remove this"))
	}
}
