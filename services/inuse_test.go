package services

import "testing"

func TestMessagesOfServersThatCannotHaveTheirAddressAreKnown(t *testing.T) {
	for line, want := range map[string]bool{
		"[ERROR] Connection in use: ('127.0.0.1', 8000)":                                                                                               true, // gunicorn
		"Errno::EADDRINUSE: Address already in use - bind(2) for \"127.0.0.1\" port 8000":                                                              true, // puma
		"Error: listen EADDRINUSE: address already in use 127.0.0.1:8000":                                                                              true, // node
		"nginx: [emerg] bind() to 0.0.0.0:80 failed (98: Address already in use)":                                                                      true,
		"(98)Address already in use: AH00072: make_sock: could not bind to address 0.0.0.0:80":                                                         true, // apache
		"ERROR: unable to bind listening socket for address '127.0.0.1:9000': Address already in use (98)":                                             true, // php-fpm
		"[Errno 98] error while attempting to bind on address ('127.0.0.1', 8000): address already in use":                                             true, // uvicorn
		"probably another instance of uWSGI is running on the same address (127.0.0.1:8000).\nbind(): Address already in use [core/socket.c line 769]": true,
		"Error: That port is already in use.":                                                                                                          true, // django
		"panic: listen tcp :8080: bind: address already in use":                                                                                        true, // go
		"failed to start listener: eaddrinuse":                                                                                                         true, // erlang
		"Port 3000 is in use, trying 3001 instead":                                                                                                     true,
		"[ALERT] Starting proxy web: cannot bind socket (Address already in use)":                                                                      true, // haproxy
		"a port of the old code, and no longer used":                                                                                                   false,
		"connection refused: is the database in another container?":                                                                                    false,
		"ModuleNotFoundError: No module named 'address'":                                                                                               false,
		"the address of the user is invalid":                                                                                                           false,
		"":                                                                                                                                             false,
	} {
		if got := saysInUse([]string{"starting", line}); got != want {
			t.Errorf("%q: %v, want %v", line, got, want)
		}
	}
}
