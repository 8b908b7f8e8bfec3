package cli

import (
	"cmp"
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"sluice.dev/sluice/internal/ci"
	"sluice.dev/sluice/internal/fault"
	"sluice.dev/sluice/internal/markdown"
	"sluice.dev/sluice/pipelines"
)

func newCmdCI(f *Factory) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "ci plan|run|version",
		Short: "Plan, run and propose versions from a job of GitHub Actions or GitLab CI",
		Long: `What a job of a build system asks of Sluice. Who it is, a server knows by the token that the build system
gives to the job; what comes of it is said where the build system shows it: in the summary of the job,
at the lines of files, and in outputs that later steps and jobs read.`,
		Example: `  sluice ci plan . --component node-agent
  sluice ci run --plan 3f2a9c01d2e4`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			return unknownCommand(cmd, args[0])
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(NewCmdCIPlan(f, nil), NewCmdCIRun(f, nil), NewCmdCIVersion(f, nil))
	return cmd
}

// inCI is the job that a command runs in, and where it says what comes of it.
type inCI struct {
	factory                  *Factory
	audience, variable       string
	summaryFile, outputsFile string
	limit                    int
	job                      ci.Job
	commands                 io.Writer // takes the commands of a build system, and nothing that others wrote
	annotated                map[ci.Kind]int
}

func (c *inCI) addFlags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&c.audience, "audience", "", "`URL` that the job's token is for (default: that of the server)")
	flags.StringVar(&c.variable, "id-token", ci.DefaultTokenVariable, "`VARIABLE` in which a job of GitLab has its token")
	flags.StringVar(&c.summaryFile, "summary", "",
		"`FILE` to add a summary in Markdown to (default $GITHUB_STEP_SUMMARY, or sluice-plan.md in a job of GitLab)")
	flags.StringVar(&c.outputsFile, "outputs", "",
		"`FILE` to add outputs to (default $GITHUB_OUTPUT, or sluice.env in a job of GitLab)")
	flags.IntVar(&c.limit, "limit", 0, "how many `BYTES` the summary has at most (default: what the build system shows)")
}

// begin finds the job, has the build system vouch for it, and keeps what others wrote from being a command of the build system.
func (c *inCI) begin(cmd *cobra.Command, f *Factory) error {
	if cmd.Flags().Changed("limit") {
		if err := checkLimit(cmd, c.limit); err != nil {
			return err
		}
	}
	c.factory, c.job, c.annotated = f, ci.Of(f.Getenv), map[ci.Kind]int{}
	c.summaryFile, c.outputsFile = cmp.Or(c.summaryFile, c.job.Summary), cmp.Or(c.outputsFile, c.job.Outputs)
	c.commands = f.Out
	if c.job.System == ci.GitHub {
		f.Out, f.Err = ci.Log{Writer: f.Out}, ci.Log{Writer: f.Err}
	}
	f.Terminal, f.Lively = false, false
	tokens := &ci.Tokens{Job: c.job, Variable: c.variable, Now: f.Clock.Now}
	f.vouched = func(ctx context.Context, server string) (string, error) {
		return tokens.Token(ctx, cmp.Or(c.audience, server))
	}
	return nil
}

// room is how many bytes the summary may have.
func (c *inCI) room() int {
	most := markdown.GitLabNote
	if c.job.System == ci.GitHub {
		most = ci.MaxSummary
	}
	if c.limit > 0 {
		most = min(most, c.limit)
	}
	return ci.Room(c.summaryFile, most)
}

// summarize adds a text to the summary, where there is one.
func (c *inCI) summarize(text string) error {
	if c.summaryFile == "" || text == "" {
		return nil
	}
	if room := c.room(); len(text) > room {
		_, err := fmt.Fprintf(c.factory.Err, "sluice: %s has no room for the summary: it has %d bytes, and there are %d\n",
			c.summaryFile, len(text), room)
		return fault.Wrap(fault.Internal, err, "cannot print")
	}
	return ci.Append(c.summaryFile, text)
}

// output adds values to the outputs, where there are any.
func (c *inCI) output(all ...ci.Output) error {
	if c.outputsFile == "" {
		return nil
	}
	return c.job.WriteOutputs(c.outputsFile, all)
}

// annotate says what is wrong at the lines of files. There is room for a few: all of it is in the log and in the summary.
func (c *inCI) annotate(kind ci.Kind, wrong pipelines.Diagnostics) error {
	if c.job.System != ci.GitHub {
		return nil
	}
	for _, d := range wrong {
		if c.annotated[kind]++; c.annotated[kind] > ci.MaxAnnotations {
			return nil
		}
		a := ci.Annotation{
			Kind: kind, File: c.job.InRepository(d.Position.File), Line: d.Position.Line, Column: d.Position.Column, Message: d.Message,
		}
		if _, err := io.WriteString(c.commands, a.Command()); err != nil {
			return fault.Wrap(fault.Internal, err, "cannot print")
		}
	}
	return nil
}

// summarizeMistakes adds to the summary what is wrong with files. It leaves room for plans.
func (c *inCI) summarizeMistakes(wrong, warnings pipelines.Diagnostics) error {
	return c.summarize(markdown.Mistakes(c.mistakes(wrong), c.mistakes(warnings), min(c.room(), markdown.GitHubComment)))
}

// mistakes are diagnostics as a summary has them.
func (c *inCI) mistakes(wrong pipelines.Diagnostics) []markdown.Mistake {
	all := make([]markdown.Mistake, len(wrong))
	for i, d := range wrong {
		where := d.Position
		where.File = c.job.InRepository(where.File)
		all[i] = markdown.Mistake{Where: where.String(), What: d.Message}
	}
	return all
}
