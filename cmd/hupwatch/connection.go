package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"hupwatch/config"
	"hupwatch/runner/control"
)

// socketVariable names the control socket for those who always ask the same
// hupwatch.
const socketVariable = "HUPWATCH_SOCKET"

// connection is how a command finds the hupwatch that runs.
type connection struct {
	socket string
	file   string
	cmd    *cobra.Command
}

// connects gives a command the options that say which hupwatch it asks.
func connects(cmd *cobra.Command) *connection {
	c := &connection{file: defaultConfig, cmd: cmd}
	cmd.Flags().SortFlags = false
	cmd.Flags().StringVarP(&c.file, "config", "c", c.file, "ask the hupwatch of this `FILE`")
	cmd.Flags().StringVar(&c.socket, "socket", "", "ask the hupwatch at this `PATH` (also: $"+socketVariable+")")
	return c
}

// client returns a client of that hupwatch.
func (c *connection) client() (*control.Client, error) {
	socket, err := c.find()
	if err != nil {
		return nil, err
	}
	return control.NewClient(socket), nil
}

// find returns the control socket. A file that was named must be there: without
// it the hupwatch asked might be another one.
func (c *connection) find() (string, error) {
	named := c.cmd.Flags().Changed("config")
	switch variable := os.Getenv(socketVariable); {
	case c.socket != "":
		return c.socket, nil
	case variable != "" && !named:
		return variable, nil
	}
	dirs, err := config.RuntimeDirs(c.file)
	if err != nil && named {
		return "", fmt.Errorf("%s: %w; to ask a hupwatch without its file: --socket PATH", c.file, err)
	}
	for i := range dirs {
		dirs[i] = filepath.Join(dirs[i], config.ControlSocket)
	}
	for _, socket := range dirs {
		if _, err := os.Lstat(socket); err == nil {
			return socket, nil
		}
	}
	return dirs[0], nil
}

// complete completes the names of services, after so many other arguments. It
// returns none if no hupwatch answers.
func (c *connection) complete(after int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) < after {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		ctx, cancel := context.WithTimeout(cmd.Context(), time.Second)
		defer cancel()
		client, err := c.client()
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		st, err := client.Status(ctx, false)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		names := slices.DeleteFunc(st.Names(), func(name string) bool { return slices.Contains(args[after:], name) })
		if len(args) == after {
			names = append(names, config.AllServices)
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// named returns each name once, and none if one of them stands for every service.
func named(args []string) []string {
	if slices.Contains(args, config.AllServices) {
		return nil
	}
	var names []string
	for _, name := range args {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
