package release

import "golang.org/x/sys/unix"

// hasACL reports whether more than its mode says who may use a file: acl(5).
func hasACL(path string) bool {
	n, err := unix.Getxattr(path, "system.posix_acl_access", nil)
	return err == nil && n > 0
}
