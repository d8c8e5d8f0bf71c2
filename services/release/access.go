package release

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// mayRun reports whether the user of the release may execute a program, as far as the
// modes of its file and of the directories above it say. Access control lists may say
// otherwise.
func (rel *Release) mayRun(path string) bool {
	if rel.Credential == nil || rel.Credential.UID == 0 {
		return true // hupwatch itself would be refused alike, or nobody is
	}
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false
	}
	for i := range len(real) {
		if real[i] == '/' && !rel.mayExecute(strings.TrimSuffix(real[:i+1], "/")+"/") {
			return false
		}
	}
	return rel.mayExecute(real)
}

// mayExecute reports whether the user may execute a file, or go through a directory.
func (rel *Release) mayExecute(path string) bool {
	info, err := os.Stat(path)
	if err != nil {
		return false
	}
	who, mode := rel.Credential, info.Mode().Perm()
	st, ok := info.Sys().(*syscall.Stat_t)
	switch {
	case !ok:
		return true
	case st.Uid == who.UID:
		return mode&0o100 != 0
	case st.Gid == who.GID, slices.Contains(who.Groups, st.Gid):
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}
