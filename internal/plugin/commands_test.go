// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/plugin"
	"ticketflow.dev/ticketflow/internal/testenv"
	"ticketflow.dev/ticketflow/internal/version"
)

func quoted(text string) string { return regexp.QuoteMeta(text) }

var _ = Describe("new", func() {
	It("asks for what the flags leave out, again where an answer is wrong", func(ctx SpecContext) {
		o := newOffice(ctx, func(w *v1alpha1.Workflow) {
			days := &w.Spec.Fields[0]
			days.Description, days.Validation = "How long it is needed.", "self < 30"
			suggested := "1"
			w.Spec.Fields[2].Default = &suggested
			w.Spec.States[0].Transitions = append(w.Spec.States[0].Transitions, v1alpha1.Transition{Name: "save", To: "new", FieldCheck: v1alpha1.FieldCheckSkip})
		})
		out, asked := o.lilei.typing("send", "", "", "出差", "x", "99", "7", "").asked(ctx, "new", "vpn")
		Expect(out).To(MatchRegexp(`^Opened: vpn-\w+ \(ID \d+\) is in state lead and waits for zhangsan\.\n$`))
		Expect(asked).To(Equal(`Transition, one of submit, save [submit]:   there is no transition "send"
Transition, one of submit, save [submit]: Title:   it is required
Title: How long it is needed.
days, Integer:   "x" is not a whole number
days, Integer:   "99" does not satisfy self < 30
days, Integer: region (地区), Select of 1 (中国), 2 (美国) (optional) [1]: `))
		name := strings.Fields(out)[1]
		Expect(o.read(ctx, name).Status).To(And(HaveField("Title", "出差"), HaveField("Fields", v1alpha1.JSONObject{"days": int64(7), "region": "1"})))
	})

	It("asks for nothing where nobody sits there, or that is not wanted", func(ctx SpecContext) {
		o := newOffice(ctx)
		want := "error: MissingFields: missing fields: title, days\nGive values with --field NAME=VALUE, and a title with --title when opening a ticket.\n"
		Expect(o.lilei.fails(ctx, plugin.ExitFailed, "new", "vpn")).To(Equal(want))
		Expect(o.lilei.typing("a", "1").fails(ctx, plugin.ExitFailed, "new", "vpn", "--no-input")).To(Equal(want))
	})

	It("leaves nothing of what was not opened", func(ctx SpecContext) {
		o := newOffice(ctx)
		o.lilei.fails(ctx, plugin.ExitFailed, "new", "vpn")
		var all v1alpha1.TicketList
		Expect(k8s.List(ctx, &all, client.InNamespace(o.namespace))).To(Succeed())
		Expect(all.Items).To(BeEmpty())
	})

	It("records nothing when the questions are broken off", func(ctx SpecContext) {
		o := newOffice(ctx)
		Expect(o.lilei.typing("a title").fails(ctx, plugin.ExitFailed, "new", "vpn")).To(ContainSubstring(
			"\nerror: the input ended: nothing was recorded\nAnswer all questions,"))
		Expect(o.lilei.does(ctx, "list", "--no-headers")).To(BeEmpty())
	})

	DescribeTable("says what is wrong with the command line", func(ctx SpecContext, code int, want string, arguments ...string) {
		o := newOffice(ctx)
		told := o.lilei.fails(ctx, code, append([]string{"new"}, arguments...)...)
		Expect(strings.ReplaceAll(told, o.namespace, "NS")).To(Equal(want))
	},
		Entry("a workflow that there is not", plugin.ExitFailed,
			"error: there is no workflow \"nope\" in namespace NS\nSee which there are: kubectl get workflows.rest.ticketflow.dev -A; choose a namespace with -n.\n", "nope"),
		Entry("a transition that there is not", plugin.ExitUsage,
			"error: --transition nope does not lead on from the start; there are: submit\nSee 'kubectl ticket new --help'.\n", "vpn", "--transition", "nope"),
		Entry("a field that the form does not take", plugin.ExitUsage,
			"error: --field account: the form of state new does not take it; it takes title, days, region\nSee 'kubectl ticket new --help'.\n", "vpn", "-f", "account=a"),
		Entry("a field without a value", plugin.ExitUsage, "error: --field days: it is written NAME=VALUE\nSee 'kubectl ticket new --help'.\n", "vpn", "-f", "days"),
		Entry("a choice that there is not", plugin.ExitUsage,
			"error: --field region: \"3\" is none of 1 (中国), 2 (美国)\nSee 'kubectl ticket new --help'.\n", "vpn", "-f", "region=3"),
		Entry("a parent that there is not", plugin.ExitFailed,
			"error: there is no ticket \"nope\" in namespace NS\nSee which there are: kubectl ticket list -A; choose a namespace with -n.\n", "vpn", "--parent", "nope"),
	)

	It("says why a workflow opens no tickets", func(ctx SpecContext) {
		o := newOffice(ctx)
		w := &v1alpha1.Workflow{}
		w.Namespace, w.Name = o.namespace, "broken"
		w.Spec.States = []v1alpha1.State{{Name: "new", Type: v1alpha1.StateStart}}
		create(ctx, w)
		Eventually(func() string { return o.lilei.fails(ctx, plugin.ExitFailed, "new", "broken") }).Should(And(
			ContainSubstring("broken opens no tickets: "), ContainSubstring("kubectl ticket workflow check")))
	})
})

var _ = Describe("who calls", func() {
	It("is the user who lists the Kubernetes user among the identities", func(ctx SpecContext) {
		o := newOffice(ctx, func(w *v1alpha1.Workflow) {
			w.Spec.States[1].Participants = &v1alpha1.Participants{Users: []v1alpha1.UserName{"meimei"}}
		})
		t := o.open(ctx)
		Expect(o.meimei.does(ctx, "list", "--todo", "-o", "name")).To(Equal("ticket.ticketflow.dev/" + t.Name + "\n"))
		Expect(o.meimei.does(ctx, "approve", t.Name)).To(HavePrefix("Approved: "))
		history := o.read(ctx, t.Name).Status.History
		Expect(history[len(history)-1].Actor).To(BeEquivalentTo("meimei"))
	})

	It("is told so where no Ticketflow user belongs to them", func(ctx SpecContext) {
		o := newOffice(ctx, func(w *v1alpha1.Workflow) { w.Spec.Visibility = v1alpha1.VisibilityEveryone })
		t := o.open(ctx)
		const want = "error: the Kubernetes user \"stranger\" is no Ticketflow user\nAsk an administrator for a User of that name, or to add it to spec.identities of yours.\n"
		Expect(o.who.fails(ctx, plugin.ExitFailed, "approve", t.Name)).To(Equal(want))
		Expect(o.who.fails(ctx, plugin.ExitFailed, "list", "--mine")).To(Equal(want))
		Expect(o.who.fails(ctx, plugin.ExitFailed, "new", "vpn", "-t", "a", "-f", "days=1")).To(HavePrefix("error: UnknownUser: the Kubernetes user \"stranger\" is no user"))
		Expect(o.who.does(ctx, "show", t.Name)).To(ContainSubstring("You may only look: the Kubernetes user \"stranger\" is no Ticketflow user"))
	})

	It("sees what the tickets' own rules show, and no more", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx)
		for _, command := range []string{"show", "verify", "graph", "approve"} {
			Expect(o.wangwu.fails(ctx, plugin.ExitFailed, command, t.Name)).To(HavePrefix("error: NotAllowed: wangwu may not look at this ticket\n"))
			Expect(o.wangwu.fails(ctx, plugin.ExitFailed, command, fmt.Sprint(t.Status.ID))).To(HavePrefix("error: NotAllowed: wangwu may not look at"))
		}
		Expect(o.wangwu.does(ctx, "list")).To(BeEmpty())
		Expect(o.zhangsan.does(ctx, "list", "-o", "name")).To(Equal("ticket.ticketflow.dev/" + t.Name + "\n"))
	})

	It("is pointed to the rights that are missing", func(ctx SpecContext) {
		nobody := desk{user: "nobody", namespace: newNamespace(ctx)}
		for _, arguments := range [][]string{{"list"}, {"show", "a"}, {"new", "vpn"}, {"graph", "vpn"}} {
			Expect(nobody.fails(ctx, plugin.ExitFailed, arguments...)).To(And(
				ContainSubstring("is forbidden"), HaveSuffix("\nChoose a namespace in which you may with -n, or ask an administrator of the cluster for the rights that docs/kubectl-ticket.md lists.\n")))
		}
	})
})

var _ = Describe("list", func() {
	It("narrows to what is mine, waits for me, or concerns me", func(ctx SpecContext) {
		o := newOffice(ctx)
		bind(ctx, "", "ticketflow-requester", "guiji")
		first, second := o.open(ctx), o.open(ctx, "-t", "第二个")
		o.zhangsan.does(ctx, "approve", second.Name)
		names := func(d desk, flags ...string) []string {
			return strings.Fields(d.does(ctx, append([]string{"list", "-o", "jsonpath={.items[*].metadata.name}"}, flags...)...))
		}
		Expect(names(o.lilei, "--mine")).To(Equal([]string{first.Name, second.Name}))
		Expect(names(o.zhangsan, "--mine")).To(BeEmpty())
		Expect(names(o.zhangsan, "--todo")).To(Equal([]string{first.Name}))
		Expect(names(o.zhangsan, "--related")).To(ConsistOf(first.Name, second.Name))
		Expect(names(o.guiji, "--todo")).To(Equal([]string{second.Name}))
		Expect(names(o.guiji, "--related")).To(Equal([]string{second.Name}))
		Expect(names(o.lilei, "--mine", "--todo")).To(BeEmpty())
		Eventually(func() []string { return names(desk{user: "guiji"}, "-A", "--todo") }).Should(ContainElement(second.Name))
	})

	It("writes a table, wide or bare", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx, "-t", "出差用VPN")
		row := fmt.Sprintf(`%s   %d +vpn        lead    InProgress   zhangsan       \d+m?s?    出差用VPN`, t.Name, t.Status.ID)
		Expect(o.lilei.does(ctx, "list")).To(MatchRegexp(`^NAME +ID +WORKFLOW   STATE   PROGRESS     PARTICIPANTS   AGE +TITLE\n%s\n$`, row))
		Expect(o.lilei.does(ctx, "list", "--no-headers")).To(MatchRegexp(`^\S+ +%d +vpn +lead +InProgress +zhangsan +\d+s +出差用VPN\n$`, t.Status.ID))
		Expect(o.lilei.does(ctx, "list", "-o", "wide")).To(MatchRegexp(
			`^NAME +ID +SN +WORKFLOW   STATE   PROGRESS     PARTICIPANTS   IN STATE   AGE +CREATOR   TITLE\n\S+ +%d +%s +vpn +lead +InProgress +zhangsan +\d+s +\d+s +lilei     出差用VPN\n$`,
			t.Status.ID, t.Status.SerialNumber))
	})

	It("writes what programs read", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx)
		var list v1alpha1.TicketList
		Expect(json.Unmarshal([]byte(o.lilei.does(ctx, "list", "-o", "json")), &list)).To(Succeed())
		Expect(list.Items).To(HaveExactElements(And(HaveField("Name", t.Name), HaveField("Kind", "Ticket"))))
	})

	It("says its version", func(ctx SpecContext) {
		Expect(newOffice(ctx).lilei.does(ctx, "--version")).To(Equal("kubectl ticket version " + version.String() + "\n"))
	})

	It("says that there is nothing beside the output", func(ctx SpecContext) {
		o := newOffice(ctx)
		for want, flags := range map[string][]string{
			"There are no tickets in namespace NS; -A looks into all.\n":      {},
			"Nothing waits for you in namespace NS; -A looks into all.\n":     {"--todo"},
			"There are no such tickets in namespace NS; -A looks into all.\n": {"--mine"},
		} {
			out, told := o.lilei.asked(ctx, append([]string{"list"}, flags...)...)
			Expect(out).To(BeEmpty())
			Expect(strings.ReplaceAll(told, o.namespace, "NS")).To(Equal(want))
		}
	})

	It("goes on with every change until it is interrupted", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx)
		watching, stop := context.WithCancel(ctx)
		defer stop()
		var out screen
		ended := make(chan int, 1)
		go func() { ended <- o.zhangsan.run(watching, &out, GinkgoWriter, "list", "--todo", "--watch") }()
		Eventually(out.shown).Should(MatchRegexp(`^NAME .*\n%s .* lead .*\n$`, t.Name))
		o.lilei.does(ctx, "comment", t.Name, "a comment changes no row")
		o.zhangsan.does(ctx, "approve", t.Name)
		Eventually(out.shown).Should(MatchRegexp(`\n%s .* ops +InProgress +guiji,wangwu .*\n$`, t.Name), "it is shown once more, as it left")
		Expect(out.shown()).To(MatchRegexp(`^NAME .*\n%s .* lead .*\n%s .* ops .*\n$`, t.Name, t.Name))
		o.guiji.does(ctx, "accept", t.Name)
		other := o.open(ctx)
		Eventually(out.shown).Should(MatchRegexp(`\n%s .* lead .*\n$`, other.Name))
		Expect(out.shown()).NotTo(MatchRegexp(`guiji `), "what left is of no concern any more")
		Expect(k8s.Delete(ctx, other)).To(Succeed())
		Eventually(out.shown).Should(MatchRegexp(`\n%s .* Deleted .*\n$`, other.Name))
		stop()
		Eventually(ended).Should(Receive(Equal(plugin.ExitOK)))
	})
})

var _ = Describe("show", func() {
	It("names what I may do as commands that work from where I am", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx)
		Expect(o.zhangsan.does(ctx, "show", t.Name)).To(ContainSubstring(fmt.Sprintf("kubectl ticket do %s approve -n %s", t.Name, o.namespace)))
		Expect(o.lilei.does(ctx, "show", t.Name)).To(ContainSubstring(fmt.Sprintf("kubectl ticket retreat %s -n %s", t.Name, o.namespace)))
	})

	It("finds a ticket by its id in any namespace that I may look into", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx)
		everywhere := desk{user: ""}
		Expect(everywhere.does(ctx, "show", fmt.Sprint(t.Status.ID))).To(ContainSubstring("Ticket:     " + o.namespace + "/" + t.Name))
		elsewhere := desk{namespace: newNamespace(ctx), user: "lilei"}
		Expect(elsewhere.fails(ctx, plugin.ExitFailed, "show", fmt.Sprint(t.Status.ID))).To(HavePrefix(
			fmt.Sprintf("error: there is no ticket with the ID %d in namespace %s", t.Status.ID, elsewhere.namespace)))
	})

	It("writes the ticket as it is stored", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx)
		Expect(o.lilei.does(ctx, "show", t.Name, "-o", "jsonpath={.kind} {.status.state}")).To(Equal("Ticket lead"))
		Expect(o.lilei.does(ctx, "show", t.Name, "-o", "yaml")).To(HavePrefix("apiVersion: ticketflow.dev/v1alpha1\nkind: Ticket\n"))
	})
})

var _ = Describe("a transition", func() {
	It("asks for what its form demands and the ticket lacks", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx)
		o.zhangsan.does(ctx, "approve", t.Name)
		o.guiji.does(ctx, "accept", t.Name)
		Expect(o.guiji.fails(ctx, plugin.ExitFailed, "approve", t.Name)).To(HavePrefix("error: MissingFields: missing fields: account\n"))
		_, asked := o.wangwu.typing("a").asked(ctx, "show", t.Name)
		Expect(asked).To(BeEmpty())
		Expect(o.wangwu.typing("a").fails(ctx, plugin.ExitFailed, "approve", t.Name)).To(HavePrefix("error: NotParticipant: "), "nobody else is asked")
		_, asked = o.guiji.typing("", "lilei-vpn").asked(ctx, "approve", t.Name)
		Expect(asked).To(Equal("account, String:   it is required\naccount, String: "))
		Expect(o.read(ctx, t.Name).Status.Fields).To(HaveKeyWithValue("account", "lilei-vpn"))
	})

	It("asks whether I am sure where the workflow wants that", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx)
		Expect(o.zhangsan.typing("n").fails(ctx, plugin.ExitFailed, "reject", t.Name)).To(Equal(
			"Send it back? [y/N] error: not confirmed: nothing was recorded\nAnswer y, or give --yes.\n"))
		Expect(o.read(ctx, t.Name).Spec.Action).To(BeNil())
		_, asked := o.zhangsan.typing("Yes").asked(ctx, "reject", t.Name)
		Expect(asked).To(Equal("Send it back? [y/N] "))
		o.lilei.does(ctx, "do", t.Name, "submit")
		_, asked = o.zhangsan.typing().asked(ctx, "reject", t.Name, "--yes")
		Expect(asked).To(BeEmpty())
	})

	It("must be the only one of its kind, or be named", func(ctx SpecContext) {
		o := newOffice(ctx, func(w *v1alpha1.Workflow) {
			w.Spec.States[1].Transitions = append(w.Spec.States[1].Transitions, v1alpha1.Transition{Name: "wave-through", DisplayName: "放行", To: "confirm"})
		})
		t := o.open(ctx)
		Expect(o.zhangsan.fails(ctx, plugin.ExitFailed, "approve", t.Name)).To(Equal(fmt.Sprintf(
			"error: several transitions of state lead would do: approve, wave-through (放行)\nSay which: kubectl ticket do %s TRANSITION -n %s\n", t.Name, o.namespace)))
		Expect(o.zhangsan.fails(ctx, plugin.ExitFailed, "do", t.Name, "nope")).To(Equal(
			"error: no transition \"nope\" leads on from state lead\nThere are: approve, reject, wave-through (放行).\n"))
		o.zhangsan.does(ctx, "do", t.Name, "放行")
		Expect(o.lilei.fails(ctx, plugin.ExitFailed, "reject", t.Name)).To(HavePrefix(
			"error: no transition of state confirm refuses; there are: ok\n"))
	})

	It("empties a field", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx, "-f", "region=1")
		o.lilei.does(ctx, "retreat", t.Name)
		o.lilei.does(ctx, "do", t.Name, "submit", "-f", "region=")
		Expect(o.read(ctx, t.Name).Status.Fields).NotTo(HaveKey("region"))
	})
})

var _ = DescribeTable("What is refused says why and what to do", func(ctx SpecContext, code int, want string, who func(office) desk, arguments ...string) {
	o := newOffice(ctx)
	t := o.open(ctx)
	arguments = append([]string{arguments[0], t.Name}, arguments[1:]...)
	told := who(o).fails(ctx, code, arguments...)
	Expect(strings.NewReplacer(o.namespace, "NS", t.Name, "vpn-1").Replace(told)).To(Equal(want))
	Expect(o.read(ctx, t.Name).Status.History).To(HaveLen(1))
},
	Entry("approving somebody else's", plugin.ExitFailed,
		"error: NotParticipant: \"lilei\" is not a current participant of the ticket\nSee where it stands and what you may do: kubectl ticket show vpn-1 -n NS\n",
		func(o office) desk { return o.lilei }, "approve"),
	Entry("claiming what needs no claim", plugin.ExitFailed,
		"error: NothingToAccept: the ticket needs no accepting: state \"lead\" has one participant or is not distributed by claim\nSee where it stands and what you may do: kubectl ticket show vpn-1 -n NS\n",
		func(o office) desk { return o.zhangsan }, "accept"),
	Entry("delivering to nobody", plugin.ExitFailed,
		"error: UnknownUser: target_username: there is no user \"nobody\"\nSee who there is, and who is active: kubectl get users.ticketflow.dev, with the role ticketflow-people. An administrator adds people.\n",
		func(o office) desk { return o.zhangsan }, "deliver", "nobody"),
	Entry("giving back what nobody asked for", plugin.ExitFailed,
		"error: NotInAddNode: nobody was asked to sign: there is no add_node to end\nSee where it stands and what you may do: kubectl ticket show vpn-1 -n NS\n",
		func(o office) desk { return o.zhangsan }, "end-add-node"),
	Entry("taking back somebody else's", plugin.ExitFailed,
		"error: NotCreator: only the creator \"lilei\" may take the ticket back\nAsk somebody who may: the creator, an admin of the workflow, or an administrator.\n",
		func(o office) desk { return o.zhangsan }, "retreat"),
	Entry("closing without being an admin", plugin.ExitFailed,
		"error: NotAllowed: \"lilei\" may not close the ticket: that needs an administrator or an admin of the workflow\nAsk somebody who may: the creator, an admin of the workflow, or an administrator.\n",
		func(o office) desk { return o.lilei }, "close"),
	Entry("commenting on what is none of one's business", plugin.ExitFailed,
		"error: NotAllowed: wangwu may not look at this ticket\nAsk somebody who may: the creator, an admin of the workflow, or an administrator.\n",
		func(o office) desk { return o.wangwu }, "comment", "hello"),
	Entry("an empty comment", plugin.ExitUsage,
		"error: the comment is empty\nSee 'kubectl ticket comment --help'.\n",
		func(o office) desk { return o.lilei.fed(" \n") }, "comment", "-"),
	Entry("too long a comment", plugin.ExitUsage,
		"error: the comment is longer than 10000 characters: put the text elsewhere and link to it\nSee 'kubectl ticket comment --help'.\n",
		func(o office) desk { return o.lilei.fed(strings.Repeat("长", 10001)) }, "comment", "-"),
	Entry("a field that the form does not take", plugin.ExitUsage,
		"error: --field days: the form of state lead does not take it; it takes nothing\nSee 'kubectl ticket approve --help'.\n",
		func(o office) desk { return o.zhangsan }, "approve", "-f", "days=3"),
)

var _ = Describe("graph", func() {
	It("draws a workflow, and a ticket's with its state marked", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx)
		drawn := o.lilei.does(ctx, "graph", "vpn")
		Expect(drawn).To(And(HavePrefix("stateDiagram-v2\n"), Not(ContainSubstring("current"))))
		for _, name := range []string{t.Name, "ticket/" + t.Name, fmt.Sprint(t.Status.ID)} {
			Expect(o.lilei.does(ctx, "graph", name)).To(Equal(drawn +
				"    classDef current fill:#ffe082,stroke:#bf6f00,stroke-width:3px,color:#000\n    class s2 current\n"))
		}
		Expect(o.lilei.does(ctx, "graph", "workflow/vpn", "-o", "svg")).To(And(HavePrefix("<svg "), Not(ContainSubstring(`class="state current"`))))
		Expect(o.lilei.does(ctx, "graph", t.Name, "-o", "svg")).To(ContainSubstring(`<rect class="state current"`))
	})

	It("says what there is not", func(ctx SpecContext) {
		o := newOffice(ctx)
		Expect(o.lilei.fails(ctx, plugin.ExitFailed, "graph", "nope")).To(HavePrefix("error: there is neither a workflow nor a ticket \"nope\""))
		Expect(o.lilei.fails(ctx, plugin.ExitFailed, "graph", "script/grant")).To(Equal(
			"error: \"script/grant\" is neither a workflow nor a ticket\nWrite workflow/NAME or ticket/NAME.\n"))
	})
})

var _ = Describe("verify", func() {
	It("shows that the history was written over", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx, "-c", "soon")
		Expect(o.lilei.does(ctx, "verify", t.Name)).To(ContainSubstring("all 1 entries are whole"))
		manager, err := client.New(managerConfig(), client.Options{Scheme: testenv.Scheme()})
		Expect(err).NotTo(HaveOccurred())
		Eventually(func() error { // the manager may be writing too
			t = o.read(ctx, t.Name)
			t.Status.History[0].Comment = "never"
			return manager.Status().Update(ctx, t)
		}).Should(Succeed())
		Eventually(func() string { return o.lilei.does(ctx, "show", t.Name, "-o", "yaml") }).Should(ContainSubstring("comment: never"), "the server has seen it")
		Expect(o.lilei.fails(ctx, plugin.ExitFailed, "verify", t.Name)).To(And(
			HavePrefix(fmt.Sprintf("error: the history of %s/%s is not whole: entry 1", o.namespace, t.Name)),
			HaveSuffix("\nCompare it with a backup, and ask who may write tickets/status or ticketrecords.\n")))
	})
})

var _ = Describe("completion", func() {
	It("offers what can come next", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx)
		for want, line := range map[string][]string{
			t.Name + "\tlead vpn please\n:4\n": {"show", t.Name[:5]},
			"vpn\tVPN申请\n:4\n":                 {"new", ""},
			"approve\nreject\n:4\n":            {"do", t.Name, ""},
			"reject\n:4\n":                     {"do", t.Name, "r"},
			"title=\ndays=\nregion=\n:6\n":     {"new", "vpn", "--field", ""},
			"submit\n:4\n":                     {"new", "vpn", "--transition", ""},
			"mermaid\nsvg\n:4\n":               {"graph", "vpn", "--output", ""},
			":4\n":                             {"deliver", t.Name, "a", "b"},
		} {
			all := append([]string{"__complete", "--kubeconfig", kubeconfig, "--as", "zhangsan", "-n", o.namespace}, line...)
			var out bytes.Buffer
			Expect(desk{}.plain(ctx, &out, GinkgoWriter, all)).To(Equal(plugin.ExitOK))
			Expect(out.String()).To(Equal(want), "%v", line)
		}
	})

	It("offers people to who may read who there is", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx)
		var out bytes.Buffer
		line := []string{"__complete", "--kubeconfig", kubeconfig, "--as", "oidc:meimei", "-n", o.namespace, "deliver", t.Name, "wang"}
		Expect(desk{}.plain(ctx, &out, GinkgoWriter, line)).To(Equal(plugin.ExitOK))
		Expect(out.String()).To(Equal("wangwu\n:4\n"))
	})
})

// Nothing decides while no manager runs.
var _ = Describe("an action without an outcome", Serial, func() {
	It("stands, and is waited for by the next", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx)
		stopManager()
		// Longer than the server waits: it is asked more than once, and says how it stands.
		const within = "1500ms"
		Expect(o.zhangsan.fails(ctx, plugin.ExitFailed, "approve", t.Name, "--timeout", within)).To(Equal(fmt.Sprintf(
			"error: the action is recorded and stands, but has no outcome after 1.5s\nSee where it stands: kubectl ticket show %s -n %s; if it stays so, the manager is not running.\n", t.Name, o.namespace)))
		Expect(o.lilei.fails(ctx, plugin.ExitFailed, "comment", t.Name, "hm", "--timeout", within)).To(HavePrefix(
			"error: nothing was recorded: an action that came before has no outcome after 1.5s\n"))
		Expect(o.lilei.fails(ctx, plugin.ExitFailed, "new", "vpn", "-t", "a", "-f", "days=1", "--timeout", within)).To(HavePrefix(
			"error: the ticket is recorded and stands, but has no outcome after 1.5s\n"))
		// Shorter: nothing is known.
		Expect(o.lilei.fails(ctx, plugin.ExitFailed, "comment", t.Name, "hm", "--timeout", "100ms")).To(HavePrefix(
			"error: the action may be recorded, but has no outcome after 100ms\n"))
		running = startManager()
		Expect(o.lilei.does(ctx, "comment", t.Name, "at last")).To(HaveSuffix("is in state ops and waits for guiji, wangwu.\n"))
	})

	It("is told of at an interruption", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx)
		stopManager()
		interrupted, interrupt := context.WithCancel(ctx)
		ended, told := make(chan int, 1), &screen{}
		go func() { ended <- o.zhangsan.run(interrupted, GinkgoWriter, told, "approve", t.Name) }()
		Eventually(func() *v1alpha1.TicketAction { return o.read(ctx, t.Name).Spec.Action }).ShouldNot(BeNil())
		interrupt()
		Eventually(ended).Should(Receive(Equal(plugin.ExitFailed)))
		Expect(told.shown()).To(HavePrefix("error: interrupted: the action "))
		running = startManager()
		o.inState(ctx, t.Name, "ops")
	})
})
