package release

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"strconv"

	"hupwatch/services/process"
)

// account is whom a release runs as.
type account struct {
	// credential is nil for hupwatch's own.
	credential *process.Credential
	// variables are HOME, USER and LOGNAME, as far as they are known.
	variables map[string]string
}

// lookupAccount finds the account of the keys user and group, which are names or
// numbers, or empty.
func lookupAccount(userName, groupName string) (account, error) {
	if userName == "" && groupName == "" {
		return account{}, nil
	}
	uid, gid := os.Geteuid(), -1
	var a account
	var groups []uint32
	if userName != "" {
		u, err := lookupUser(userName)
		if err != nil {
			return account{}, err
		}
		uid, gid = u.uid, u.gid
		a.variables, groups = u.variables, u.groups
	}
	if groupName != "" {
		id, err := LookupGroup(groupName)
		if err != nil {
			return account{}, err
		}
		gid = id
	}
	if gid < 0 {
		return account{}, fmt.Errorf("user %s: no such account on this host, and group is not set; set group too", userName)
	}
	if uid == os.Geteuid() && gid == os.Getegid() && uid != 0 {
		return a, nil
	}
	if os.Geteuid() != 0 {
		return account{}, fmt.Errorf("%s: only root may start a service as somebody else; start hupwatch as root, or leave this out", asWhom(userName, groupName))
	}
	a.credential = &process.Credential{UID: uint32(uid), GID: uint32(gid), Groups: groups}
	return a, nil
}

func asWhom(userName, groupName string) string {
	switch {
	case groupName == "":
		return "user " + userName
	case userName == "":
		return "group " + groupName
	}
	return "user " + userName + ", group " + groupName
}

type unixUser struct {
	uid, gid  int
	groups    []uint32
	variables map[string]string
}

func lookupUser(name string) (unixUser, error) {
	u, err := user.Lookup(name)
	if number, parseErr := accountNumber(name); err != nil && parseErr == nil {
		byID, idErr := user.LookupId(name)
		if idErr != nil {
			return unixUser{uid: number, gid: -1}, nil //nolint:nilerr // a number needs no account
		}
		u, err = byID, nil
	}
	if _, ok := errors.AsType[user.UnknownUserError](err); ok {
		return unixUser{}, fmt.Errorf("user %s: no such user on this host", name)
	}
	if err != nil {
		return unixUser{}, fmt.Errorf("user %s: %w", name, err)
	}
	found := unixUser{variables: map[string]string{"HOME": u.HomeDir, "USER": u.Username, "LOGNAME": u.Username}}
	if found.uid, err = strconv.Atoi(u.Uid); err != nil {
		return unixUser{}, fmt.Errorf("user %s: uid %q: %w", name, u.Uid, err)
	}
	if found.gid, err = strconv.Atoi(u.Gid); err != nil {
		return unixUser{}, fmt.Errorf("user %s: gid %q: %w", name, u.Gid, err)
	}
	ids, err := u.GroupIds()
	if err != nil {
		return unixUser{}, fmt.Errorf("user %s: look up supplementary groups: %w", name, err)
	}
	for _, id := range ids {
		if number, err := strconv.ParseUint(id, 10, 32); err == nil {
			found.groups = append(found.groups, uint32(number))
		}
	}
	return found, nil
}

// LookupGroup returns the number of a group, which is given by that or by name.
func LookupGroup(name string) (int, error) {
	g, err := user.LookupGroup(name)
	if number, parseErr := accountNumber(name); err != nil && parseErr == nil {
		return number, nil
	}
	if _, ok := errors.AsType[user.UnknownGroupError](err); ok {
		return 0, fmt.Errorf("group %s: no such group on this host", name)
	}
	if err != nil {
		return 0, fmt.Errorf("group %s: %w", name, err)
	}
	return strconv.Atoi(g.Gid)
}

// accountNumber reads the number of a user or group. A longer one the kernel
// would cut, of 2^32 it would make root.
func accountNumber(name string) (int, error) {
	const bits = 31
	number, err := strconv.ParseUint(name, 10, bits)
	return int(number), err
}
