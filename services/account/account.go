// Package account looks up users and groups, by name or number. It may wait for a
// directory service.
package account

import (
	"errors"
	"fmt"
	"os/user"
	"strconv"
)

// User is what the host knows of a user.
type User struct {
	UID int
	// GID is -1 for a number that has no account.
	GID    int
	Groups []uint32
	// Variables are HOME, USER and LOGNAME; nil if there is no account.
	Variables map[string]string
}

// LookupUser finds a user by name or number, with all groups. A number needs no
// account.
func LookupUser(name string) (User, error) {
	found, u, err := lookup(name)
	if err != nil || u == nil {
		return found, err
	}
	ids, err := u.GroupIds()
	if err != nil {
		return User{}, fmt.Errorf("user %s: look up supplementary groups: %w", name, err)
	}
	for _, id := range ids {
		if n, err := strconv.ParseUint(id, 10, 32); err == nil {
			found.Groups = append(found.Groups, uint32(n))
		}
	}
	return found, nil
}

// LookupUID returns the number of a user, who is given by that or by name. It does not
// look at groups.
func LookupUID(name string) (int, error) {
	found, _, err := lookup(name)
	return found.UID, err
}

// lookup finds a user, without groups; nil if there is no account of that number.
func lookup(name string) (User, *user.User, error) {
	u, err := user.Lookup(name)
	if n, parseErr := number(name); err != nil && parseErr == nil {
		byID, idErr := user.LookupId(name)
		if idErr != nil {
			return User{UID: n, GID: -1}, nil, nil //nolint:nilerr // a number needs no account
		}
		u, err = byID, nil
	}
	if _, ok := errors.AsType[user.UnknownUserError](err); ok {
		return User{}, nil, fmt.Errorf("user %s: no such user on this host", name)
	}
	if err != nil {
		return User{}, nil, fmt.Errorf("user %s: %w", name, err)
	}
	found := User{Variables: map[string]string{"HOME": u.HomeDir, "USER": u.Username, "LOGNAME": u.Username}}
	if found.UID, err = strconv.Atoi(u.Uid); err != nil {
		return User{}, nil, fmt.Errorf("user %s: uid %q: %w", name, u.Uid, err)
	}
	if found.GID, err = strconv.Atoi(u.Gid); err != nil {
		return User{}, nil, fmt.Errorf("user %s: gid %q: %w", name, u.Gid, err)
	}
	return found, u, nil
}

// LookupGroup returns the number of a group, which is given by that or by name.
func LookupGroup(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if n, parseErr := number(name); err != nil && parseErr == nil {
		return n, nil
	}
	if _, ok := errors.AsType[user.UnknownGroupError](err); ok {
		return 0, fmt.Errorf("group %s: no such group on this host", name)
	}
	if err != nil {
		return 0, fmt.Errorf("group %s: %w", name, err)
	}
	return strconv.Atoi(g.Gid)
}

// number reads the number of a user or group. The kernel would cut a longer one: it
// would take 2^32 for root.
func number(name string) (int, error) {
	const bits = 31
	number, err := strconv.ParseUint(name, 10, bits)
	return int(number), err
}
