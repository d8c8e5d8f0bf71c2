// Package trusted opens the directories in which hupwatch makes files, perhaps as
// root. On Linux it follows no symbolic link of another user, who could point it at a
// directory where such a file does harm.
package trusted
