package config

import (
	"reflect"
	"sync"
)

// Change is a key in which two configurations of a service differ.
type Change struct {
	Key string
	// Live keys come into force without a new process.
	Live bool
}

// serviceTable has the keys of a service. It is made at the first use.
var serviceTable = sync.OnceValue(serviceKeys)

// Changes returns the keys in which two configurations of a service differ, in
// the order of the key table.
func Changes(a, b *Service) []Change {
	var found []Change
	for _, k := range serviceTable() {
		if k.value != nil && !reflect.DeepEqual(k.value(a), k.value(b)) {
			found = append(found, Change{k.Name, k.live})
		}
	}
	return found
}
