package release

import (
	"fmt"
	"os"

	"hupwatch/services/account"
	"hupwatch/services/process"
)

// identity is whom a release runs as.
type identity struct {
	// credential is nil for hupwatch's own.
	credential *process.Credential
	// variables are HOME, USER and LOGNAME, as far as they are known.
	variables map[string]string
}

// identify finds whom the keys user and group mean. They are names or numbers, or
// empty.
func identify(userName, groupName string) (identity, error) {
	if userName == "" && groupName == "" {
		return identity{}, nil
	}
	uid, gid := os.Geteuid(), -1
	var a identity
	var groups []uint32
	if userName != "" {
		u, err := account.LookupUser(userName)
		if err != nil {
			return identity{}, err
		}
		uid, gid = u.UID, u.GID
		a.variables, groups = u.Variables, u.Groups
	}
	if groupName != "" {
		id, err := account.LookupGroup(groupName)
		if err != nil {
			return identity{}, err
		}
		gid = id
	}
	if gid < 0 {
		return identity{}, fmt.Errorf("user %s: no such account on this host, and group is not set; set group too", userName)
	}
	if uid == os.Geteuid() && gid == os.Getegid() && uid != 0 {
		return a, nil
	}
	if os.Geteuid() != 0 {
		return identity{}, fmt.Errorf("%s: only root may start a service as somebody else; start hupwatch as root, or leave this out", asWhom(userName, groupName))
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
