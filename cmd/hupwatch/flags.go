package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// configFlag defines -c FILE.
func configFlag(flags *pflag.FlagSet, file *string) {
	flags.StringVarP(file, "config", "c", *file, "the configuration `FILE`")
}

// flagError words what is wrong with the options.
func flagError(cmd *cobra.Command, err error) error {
	see := "see hupwatch help"
	if cmd.HasParent() {
		see += " " + cmd.Name()
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return fmt.Errorf("unknown option %s; %s", dashed(unknown.GetSpecifiedName(), unknown.GetSpecifiedShortnames()), see)
	}
	if bare, ok := errors.AsType[*pflag.ValueRequiredError](err); ok {
		return fmt.Errorf("flag needs an argument: %s; %s", dashed(bare.GetSpecifiedName(), bare.GetSpecifiedShortnames()), see)
	}
	if bad, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		flag := bad.GetFlag()
		name := dashed(flag.Name, "")
		if flag.Shorthand != "" {
			name = dashed(flag.Shorthand, flag.Shorthand)
		}
		switch flag.Value.Type() {
		case "bool":
			return fmt.Errorf("invalid boolean value %q for %s; %s", bad.GetValue(), name, see)
		case "int":
			return fmt.Errorf("invalid value %q for %s: it is a number", bad.GetValue(), name)
		}
		return fmt.Errorf("invalid value %q for %s: %w", bad.GetValue(), name, bad.Unwrap())
	}
	return fmt.Errorf("%w; %s", err, see)
}

// dashed is an option as it is typed. With shorthands it is a short one.
func dashed(name, shorthands string) string {
	if shorthands != "" {
		return "-" + name
	}
	return "--" + name
}

// noArguments refuses arguments to a command that takes none.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) > 0 {
		return tooMany(cmd, args)
	}
	return nil
}

func tooMany(cmd *cobra.Command, args []string) error {
	return fmt.Errorf("%q: too many arguments; see hupwatch help %s", args[0], cmd.Name())
}
