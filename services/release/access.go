package release

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"hupwatch/config"
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
	dir, err := filepath.EvalSymlinks(config.DirOf(path)) // of the link, if it is one
	return err == nil && rel.mayReach(dir+"/") && rel.mayReach(real) && rel.mayExecute(real)
}

// mayReach reports whether the user may go through all the directories of a path.
func (rel *Release) mayReach(path string) bool {
	for i := range len(path) {
		if path[i] == '/' && !rel.mayExecute(path[:i+1]) {
			return false
		}
	}
	return true
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
	case !ok, hasACL(path): // that cannot be known
		return true
	case st.Uid == who.UID:
		return mode&0o100 != 0
	case st.Gid == who.GID, slices.Contains(who.Groups, st.Gid):
		return mode&0o010 != 0
	}
	return mode&0o001 != 0
}
