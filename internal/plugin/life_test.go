// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package plugin_test

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/plugin"
	"ticketflow.dev/ticketflow/internal/testenv"
)

// inState waits until the ticket has come somewhere.
// inState waits until a ticket is seen in a state through the server, which hears
// of it a moment after it is stored.
func (o office) inState(ctx context.Context, name string, state v1alpha1.Name) {
	GinkgoHelper()
	admin := desk{namespace: o.namespace}
	Eventually(func() string { return admin.does(ctx, "show", name, "-o", "jsonpath={.status.state}") }).Should(BeEquivalentTo(state))
}

var _ = Describe("a ticket's whole life", func() {
	It("is lived with the plugin alone", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx, "-f", "region=美国", "-c", "soon")
		Expect(t.Spec.By).To(Equal(v1alpha1.RequestedBy{User: "lilei"}))
		Expect(t.Status.Fields).To(Equal(v1alpha1.JSONObject{"days": int64(5), "region": "2"}))
		id := fmt.Sprint(t.Status.ID)
		at := func(text string) string { return fmt.Sprintf("%s: %s (ID %s) ", text, t.Name, id) }

		Expect(o.zhangsan.does(ctx, "approve", id, "-c", "fine")).To(Equal(at("Approved") + "went from lead to ops and waits for guiji, wangwu.\n"))
		Expect(o.guiji.fails(ctx, plugin.ExitFailed, "do", id, "done", "-f", "account=a")).To(Equal(fmt.Sprintf(
			"error: AcceptFirst: several people wait for the ticket in state \"ops\": accept it first\nClaim it first: kubectl ticket accept %s -n %s\n", t.Name, o.namespace)))
		Expect(o.guiji.does(ctx, "accept", id)).To(Equal(at("Claimed") + "is in state ops and waits for guiji.\n"))
		Expect(o.guiji.does(ctx, "add-node", id, "wangwu", "-c", "which one?")).To(Equal(at("Asked") + "is in state ops and waits for wangwu.\n"))
		Expect(o.wangwu.does(ctx, "end-add-node", id)).To(Equal(at("Given back") + "is in state ops and waits for guiji.\n"))
		Expect(o.guiji.does(ctx, "deliver", id, "wangwu")).To(Equal(at("Delivered") + "is in state ops and waits for wangwu.\n"))
		Expect(o.lilei.does(ctx, "comment", id, "any news?")).To(Equal(at("Commented") + "is in state ops and waits for wangwu.\n"))
		Expect(o.wangwu.fed("  on its way\n\n").does(ctx, "comment", id, "-")).To(HavePrefix("Commented: "))
		Expect(o.wangwu.does(ctx, "do", id, "done", "-f", "account=lilei-vpn")).To(HavePrefix(at("Done") + "went from ops to "))
		o.inState(ctx, t.Name, "confirm")
		Expect(o.lilei.does(ctx, "approve", t.Name)).To(Equal(at("Approved") + "went from confirm to end and has ended: Finished.\n"))

		t = o.read(ctx, t.Name)
		Expect(t.Status.Fields).To(HaveKeyWithValue("account", "lilei-vpn"))
		Expect(t.Status.HistoryCount).To(BeEquivalentTo(11))
		Expect(o.lilei.does(ctx, "verify", id)).To(MatchRegexp(
			`^%s/%s: all 11 entries are whole, \d+ of them in \d records; the newest hash is [0-9a-f]{64}\.\n$`, o.namespace, t.Name))
		shown := o.lilei.does(ctx, "show", id)
		for _, step := range []string{
			`✔  TIME  new      lilei      submit → lead "soon"`, `✔  TIME  lead     zhangsan   approve → ops "fine"`,
			`·  TIME  ops      guiji      claimed it`, `·  TIME  ops      guiji      asked wangwu "which one?"`,
			`·  TIME  ops      wangwu     gave it back`, `·  TIME  ops      guiji      delivered it to wangwu`,
			`·  TIME  ops      lilei      commented "any news?"`, `·  TIME  ops      wangwu     commented "on its way"`,
			`✔  TIME  ops      wangwu     done → grant`, fmt.Sprintf(`✔  TIME  grant    loonrobot  the script ran: granted → confirm "granted %s`, id),
			`✔  TIME  confirm  lilei      ok → end`, `■                       end                 ended: Finished`,
		} {
			step, pattern := strings.ReplaceAll(step, "TIME", "____"), `\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`
			Expect(shown).To(MatchRegexp(strings.ReplaceAll(quoted(step), "____", pattern)))
		}
	})

	It("goes back, and ends by force", func(ctx SpecContext) {
		o := newOffice(ctx)
		t := o.open(ctx)
		Expect(o.lilei.does(ctx, "retreat", t.Name, "-c", "wait")).To(HaveSuffix("went from lead to new and waits for lilei.\n"))
		Expect(o.lilei.does(ctx, "do", t.Name, "submit")).To(HaveSuffix("went from new to lead and waits for zhangsan.\n"))
		Expect(o.zhangsan.does(ctx, "reject", t.Name, "-c", "which network?")).To(Equal(
			fmt.Sprintf("Rejected: %s (ID %d) went from lead to new and waits for lilei.\n", t.Name, t.Status.ID)))
		Expect(o.read(ctx, t.Name).Status.Progress).To(Equal(v1alpha1.ProgressRefused))
		Expect(o.lilei.does(ctx, "close", t.Name)).To(HaveSuffix("went from new to end and has ended: Closed.\n"))
	})

	It("tries a script again that failed", func(ctx SpecContext) {
		o := newOffice(ctx)
		script := &v1alpha1.Script{}
		Expect(k8s.Get(ctx, client.ObjectKey{Namespace: o.namespace, Name: "grant"}, script)).To(Succeed())
		script.Spec.Source = "raise SystemExit(1)"
		Expect(k8s.Update(ctx, script)).To(Succeed())
		t := o.open(ctx)
		o.zhangsan.does(ctx, "approve", t.Name)
		o.guiji.does(ctx, "accept", t.Name)
		o.guiji.does(ctx, "approve", t.Name, "-f", "account=a")
		Eventually(func() string { return o.lilei.does(ctx, "show", t.Name) }).Should(And(
			ContainSubstring("Trouble:    the last run failed; kubectl ticket retry "+t.Name), ContainSubstring("the script failed")))
		Expect(k8s.Get(ctx, client.ObjectKeyFromObject(script), script)).To(Succeed())
		script.Spec.Source = "print('fine')"
		Expect(k8s.Update(ctx, script)).To(Succeed())
		Eventually(func(g Gomega) {
			g.Expect(k8s.Get(ctx, client.ObjectKeyFromObject(script), script)).To(Succeed())
			g.Expect(script.Status.Conditions).To(ContainElement(HaveField("ObservedGeneration", script.Generation)), "the manager has seen it")
		}).Should(Succeed())
		Expect(o.lilei.does(ctx, "retry", t.Name)).To(HavePrefix("Tried again: "))
		o.inState(ctx, t.Name, "confirm")
		Expect(o.lilei.fails(ctx, plugin.ExitFailed, "retry", t.Name)).To(HavePrefix("error: NotRetryable: "))
	})
})

var _ = Describe("the sample of a release", func() {
	It("is voted on, waits for its part and the hook, and is released", func(ctx SpecContext) {
		called := make(chan string, 100)
		other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			called <- r.URL.Path
			_, _ = w.Write([]byte(`{"code": 0, "msg": "taken"}`))
		}))
		DeferCleanup(other.Close)
		ns := newNamespace(ctx)
		data, err := os.ReadFile(testenv.Path("config", "samples", "release.yaml"))
		Expect(err).NotTo(HaveOccurred())
		text := strings.NewReplacer("http://127.0.0.1:8900", other.URL, "namespace: delivery", "namespace: "+ns, "[operations]", "[operations-"+ns+"]",
			"name: delivery}", "name: unused-"+ns+"}").Replace(string(data))
		leader := &v1alpha1.Department{}
		leader.Name = "operations-" + ns
		voters := []client.Object{leader}
		for _, name := range []string{"v1", "v2"} {
			user := &v1alpha1.User{}
			user.Name, user.Spec.Department = name+"-"+ns, v1alpha1.ObjectName(leader.Name)
			voters = append(voters, user)
		}
		create(ctx, voters...)
		create(ctx, objects([]byte(text))...)
		bind(ctx, ns, "ticketflow-handler", "v1-"+ns, "v2-"+ns)
		at := func(user string) desk { return desk{user: user, namespace: ns} }
		o, lilei := office{namespace: ns}, at("lilei")
		Eventually(func() int { return lilei.run(ctx, GinkgoWriter, GinkgoWriter, "graph", "release-part") }).Should(Equal(plugin.ExitOK))
		Eventually(func() int { return lilei.run(ctx, GinkgoWriter, GinkgoWriter, "graph", "release") }).Should(Equal(plugin.ExitOK))

		release := lilei.does(ctx, "new", "release", "-t", "Spring", "-f", "version=v1.2.0", "-f", "risk=High", "-o", "jsonpath={.metadata.name}")
		Expect(at("v1-"+ns).does(ctx, "show", release)).To(And(
			ContainSubstring("Vote:       v1-"+ns+" has not voted"), MatchRegexp(`Timer: +expire at .*, in (47h|2d)`)))
		Expect(at("v1-"+ns).does(ctx, "approve", release)).To(HaveSuffix("is in state vote and waits for v2-" + ns + ".\n"))
		Expect(at("v2-"+ns).does(ctx, "approve", release)).To(HaveSuffix("went from vote to parts and waits for sub-tickets.\n"))
		part := lilei.does(ctx, "new", "release-part", "--parent", release, "-t", "Docs", "-f", "assignee=zhangsan", "-o", "jsonpath={.metadata.name}")
		Eventually(func() string { return lilei.does(ctx, "show", release) }).Should(ContainSubstring("0 of 1 in state parts have ended"))
		Expect(lilei.does(ctx, "show", part)).To(ContainSubstring(fmt.Sprintf("Part of:    ticket %d", o.read(ctx, release).Status.ID)))
		Expect(at("zhangsan").does(ctx, "do", part, "done", "-f", "result=written")).To(HaveSuffix("has ended: Finished.\n"))
		o.inState(ctx, release, "check")
		Expect(lilei.does(ctx, "approve", release)).To(HaveSuffix("went from check to released and has ended: Finished.\n"))
		Eventually(called).Should(Receive(Equal("/deploy")))
		Eventually(called).Should(Receive(Equal("/notices")))
	})
})
