//go:build linux && amd64

package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"os"
)

// serviceSize is more than the code of the service takes.
const serviceSize = 256

// serviceCode is the program that is started a thousand times. It is in assembly,
// so that next to nothing is measured but what starts it: one page, no runtime,
// no libc, and its first act is to say when it ran.
func serviceCode() *[serviceSize]byte

// writeService writes the service as a program of its own: the smallest ELF
// file, one segment of headers and code.
func writeService(path string) error {
	const base, headers = 0x400000, 64 + 56
	header := elf.Header64{
		Type: uint16(elf.ET_EXEC), Machine: uint16(elf.EM_X86_64), Version: uint32(elf.EV_CURRENT),
		Entry: base + headers, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	copy(header.Ident[:], elf.ELFMAG)
	header.Ident[elf.EI_CLASS] = byte(elf.ELFCLASS64)
	header.Ident[elf.EI_DATA] = byte(elf.ELFDATA2LSB)
	header.Ident[elf.EI_VERSION] = byte(elf.EV_CURRENT)
	segment := elf.Prog64{
		Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X),
		Vaddr: base, Paddr: base, Filesz: headers + serviceSize, Memsz: headers + serviceSize, Align: 4096,
	}
	var file bytes.Buffer
	for _, part := range []any{header, segment, serviceCode()} {
		if err := binary.Write(&file, binary.LittleEndian, part); err != nil {
			return fmt.Errorf("encode the service: %w", err)
		}
	}
	return os.WriteFile(path, file.Bytes(), 0o755)
}
