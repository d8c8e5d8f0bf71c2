package main

import (
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set when a release is built.
var version string

func (p *program) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Args: noArguments,
		Short: "print the version",
		Long:  "Print the version of this hupwatch. The one that runs may be another: see hupwatch status --json.",
		RunE: func(*cobra.Command, []string) error {
			fmt.Fprintln(p.stdout, "hupwatch", versionText())
			return nil
		},
	}
}

func versionText() string {
	if version != "" {
		return version
	}
	if info, ok := debug.ReadBuildInfo(); ok && info.Main.Version != "" {
		return info.Main.Version
	}
	return "unknown"
}
