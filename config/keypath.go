package config

import "strconv"

// joinKey appends one part to the path of a key. Parts that could not stand
// bare in a file are quoted.
func joinKey(path, part string) string {
	if !isBareKey(part) {
		part = strconv.Quote(part)
	}
	if path == "" {
		return part
	}
	return path + "." + part
}

// joinIndex appends the index of an array's element to the path of a key.
func joinIndex(path string, i int) string {
	return path + "[" + strconv.Itoa(i) + "]"
}

func isBareKey(part string) bool {
	for i := range len(part) {
		if !isBareKeyByte(part[i]) {
			return false
		}
	}
	return part != ""
}

func isBareKeyByte(c byte) bool {
	return c == '_' || c == '-' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
}
