package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// needsBashCompletion says once what would otherwise be an error at every Tab.
const needsBashCompletion = `if ! declare -F _get_comp_words_by_ref >/dev/null; then
    echo "hupwatch: the completion needs bash-completion: install that package, and source its bash_completion before this" >&2
    return 1
fi
`

func (p *program) completion() *cobra.Command {
	return &cobra.Command{
		Use: "completion bash|zsh|fish", Short: "print the completion for a shell",
		Long: `Print what makes a shell complete hupwatch's commands, options, signals, keys, and
the names of the services of the hupwatch that runs. bash needs the package
bash-completion for it.`,
		Example: `  source <(hupwatch completion bash)
  hupwatch completion bash > /etc/bash_completion.d/hupwatch
  hupwatch completion zsh > "${fpath[1]}/_hupwatch"
  hupwatch completion fish > ~/.config/fish/completions/hupwatch.fish`,
		ValidArgs: []string{"bash", "zsh", "fish"},
		Args:      cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("say for which shell: hupwatch completion bash, zsh or fish")
			}
			switch root := cmd.Root(); args[0] {
			case "bash":
				fmt.Fprint(p.stdout, needsBashCompletion)
				return root.GenBashCompletionV2(p.stdout, true)
			case "zsh":
				return root.GenZshCompletion(p.stdout)
			case "fish":
				return root.GenFishCompletion(p.stdout, true)
			}
			return fmt.Errorf("unknown shell %q; choose bash, zsh or fish", args[0])
		},
	}
}
