// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/clock"

	restv1 "ticketflow.dev/ticketflow/api/rest/v1"
	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/engine"
)

func showCommand(s *session) *cobra.Command {
	c := &cobra.Command{
		Use:               "show TICKET",
		Aliases:           []string{"describe"},
		Short:             "Show a ticket: where it stands, its values, what happened, and what I may do",
		Example:           "  kubectl ticket show 17\n  kubectl ticket show vpn-access-x7k2p -o yaml",
		Args:              takes("TICKET"),
		ValidArgsFunction: s.completeTicketThen(nil),
	}
	output := newOutput(c, false)
	c.RunE = func(c *cobra.Command, arguments []string) error {
		printer, err := output.printer(c)
		if err != nil {
			return err
		}
		cluster, err := s.connect()
		if err != nil {
			return err
		}
		t, err := cluster.ticket(c.Context(), arguments[0])
		if err != nil {
			return err
		}
		if printer != nil {
			return s.print(printer, t.Ticket)
		}
		p := cluster.portray(t)
		p.now, p.zone = s.clock, s.zone
		return s.write(p.text(s.paint()))
	}
	return c
}

// portrait is all that show tells of a ticket.
type portrait struct {
	ticket  *v1alpha1.Ticket
	where   string
	history []v1alpha1.HistoryEntry
	graph   *engine.Graph
	viewer  *restv1.Viewer
	now     clock.PassiveClock
	zone    *time.Location
}

func (c *cluster) portray(t *seen) *portrait {
	return &portrait{ticket: t.Ticket, where: c.where(t), history: history(t.records, t.Ticket), graph: t.graph, viewer: t.viewer}
}

// text is the portrait in words.
func (p *portrait) text(colours paint) string {
	out := &text{paint: colours}
	out.grid("", p.head())
	if rows := p.values(); len(rows) > 0 {
		out.title("Values:")
		out.grid("  ", rows)
	}
	if len(p.history) > 0 {
		out.title("Steps:")
		out.grid("  ", p.timeline())
	}
	p.options(out)
	return out.out.String()
}

// head is where the ticket stands.
func (p *portrait) head() [][]string {
	t, status := p.ticket, &p.ticket.Status
	rows := [][]string{
		{"Title:", cmp.Or(status.Title, t.Spec.Title, none)},
		{"Ticket:", p.name()},
		{"Workflow:", p.workflow()},
		{"Creator:", string(t.Spec.Creator)},
		{"Opened:", p.moment(status.OpenedAt)},
	}
	add := func(label, format string, arguments ...any) {
		rows = append(rows, []string{label, fmt.Sprintf(format, arguments...)})
	}
	if status.ParentID != 0 {
		add("Part of:", "ticket %d", status.ParentID)
	}
	if status.State != "" {
		add("State:", "%s, for %s", p.state(status.State), age(status.EnteredAt, p.now))
	}
	add("Progress:", "%s", progress(t))
	if status.State != "" && !engine.HasEnded(status) {
		add("Waits for:", "%s", strings.TrimPrefix(waiting(&status.Participants), "waits for "))
	}
	if len(status.Signers) > 0 {
		add("Asked by:", "%s", status.Signers[len(status.Signers)-1])
	}
	for _, vote := range status.Votes {
		add("Vote:", "%s %s", vote.User, cmp.Or(string(vote.Transition), "has not voted"))
	}
	for _, timer := range status.Timers {
		add("Timer:", "%s at %s, in %s", timer.Transition, p.time(timer.At), until(timer.At, p.now))
	}
	for _, children := range status.Children {
		add("Sub-tickets:", "%d of %d in state %s have ended", children.Ended, children.Total, children.State)
	}
	if engine.LastRunFailed(status) && !engine.HasEnded(status) {
		add("Trouble:", "the last run failed; %s runs it again", p.call("retry"))
	}
	if c := meta.FindStatusCondition(status.Conditions, v1alpha1.ConditionReady); c != nil && c.Status == metav1.ConditionFalse {
		add("Trouble:", "%s: %s", c.Reason, strings.ReplaceAll(strings.TrimSpace(c.Message), "\n", " "))
	}
	return rows
}

func (p *portrait) name() string {
	t := p.ticket
	return fmt.Sprintf("%s/%s, ID %d, %s", t.Namespace, t.Name, t.Status.ID, t.Status.SerialNumber)
}

func (p *portrait) workflow() string {
	return named(p.graph.Name, p.graph.Spec.DisplayName)
}

// state is a state's name with what people read for it.
func (p *portrait) state(name v1alpha1.Name) string {
	if state, ok := p.graph.State(name); ok {
		return named(string(name), state.DisplayName)
	}
	return string(name)
}

// moment is a time and how long ago that was.
func (p *portrait) moment(t *metav1.Time) string {
	if t.IsZero() {
		return "not yet"
	}
	return fmt.Sprintf("%s, %s ago", p.time(*t), age(t, p.now))
}

// time is a time where the caller is.
func (p *portrait) time(t metav1.Time) string { return t.In(p.zone).Format(time.DateTime + " -07:00") }

// options are what the caller may do, as commands.
func (p *portrait) options(out *text) {
	if err := mustBeUser(p.viewer); err != nil {
		out.line("\nYou may only look: %v", err)
		return
	}
	offered := engine.Options(p.graph, snapshot(p.ticket), string(p.viewer.User))
	rows := mapped(offered, p.option)
	for _, other := range others {
		if slices.Contains(p.viewer.May, other.kind) {
			rows = append(rows, []string{p.call(other.command, other.arguments...), other.means})
		}
	}
	if len(offered) == 0 {
		out.line("\nNothing waits for you (%s) here.", p.viewer.User)
	}
	if len(rows) > 0 {
		out.title("You (%s) may:", p.viewer.User)
		out.grid("  ", rows)
	}
}

// others is what can be done with a ticket besides going on with it.
var others = []struct {
	kind           v1alpha1.ActionType
	command, means string
	arguments      []string
}{
	{v1alpha1.ActionDeliver, "deliver", "hand it to somebody else", []string{"USER"}},
	{v1alpha1.ActionAddSigner, "add-node", "ask somebody to look at it first", []string{"USER"}},
	{v1alpha1.ActionRetryScript, "retry", "run what failed again", nil},
	{v1alpha1.ActionRetreat, "retreat", "take it back", nil},
	{v1alpha1.ActionComment, "comment", "add a comment to its history", []string{"TEXT"}},
	{v1alpha1.ActionClose, "close", "end it by force", nil},
}

// call is a command about the ticket, from where the caller is.
func (p *portrait) call(command string, arguments ...string) string {
	return strings.Join(append([]string{"kubectl ticket", command, p.ticket.Name}, arguments...), " ") + p.where
}

func (p *portrait) option(option engine.Option) []string {
	switch option.Kind {
	case engine.OptionAccept:
		return []string{p.call("accept"), "claim it, since it waits for several people"}
	case engine.OptionEndAddSigner:
		return []string{p.call("end-add-node"), "give it back to who asked you"}
	}
	t := option.Transition
	means := ""
	if t.DisplayName != "" && t.DisplayName != string(t.Name) {
		means = t.DisplayName + ", "
	}
	return []string{p.call("do", string(t.Name)), means + leadsTo(t)}
}

// leadsTo says where a transition leads.
func leadsTo(t *engine.Transition) string {
	text := "to " + string(t.To)
	for _, route := range t.Routes {
		text += fmt.Sprintf(", or to %s if %s", route.To, route.When)
	}
	if t.Delay() > 0 {
		text += "; by itself after " + span(t.Delay())
	}
	return text
}
