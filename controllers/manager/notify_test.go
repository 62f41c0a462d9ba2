// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package manager_test

import (
	"crypto/md5" //nolint:gosec // the documented signature
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/fixtures"
)

// moody is a receiver of notices that has a way of its own to answer each
// request, and answers well once it has no more of those.
type moody struct {
	*httptest.Server
	mu    sync.Mutex
	moods []http.HandlerFunc
	tries int
	taken []string // what it took, by the entries' comments
}

func newMoody(moods ...http.HandlerFunc) *moody {
	m := &moody{moods: moods}
	m.Server = httptest.NewServer(m)
	DeferCleanup(m.Close)
	return m
}

func (m *moody) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if mood := m.mood(); mood != nil && r.URL.Path != "/moved" {
		mood(w, r)
		return
	}
	sum := md5.Sum([]byte(r.Header.Get("timestamp") + "s3cret")) //nolint:gosec // as above
	var body struct {
		Last struct {
			Suggestion string `json:"suggestion"`
		} `json:"last_flow_log"`
	}
	if r.Header.Get("signature") != hex.EncodeToString(sum[:]) || json.NewDecoder(r.Body).Decode(&body) != nil {
		_, _ = io.WriteString(w, `{"code": -1, "msg": "not signed, or no message"}`)
		return
	}
	m.mu.Lock()
	m.taken = append(m.taken, body.Last.Suggestion)
	m.mu.Unlock()
	_, _ = io.WriteString(w, `{"code": 0, "msg": ""}`)
}

func (m *moody) mood() http.HandlerFunc {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tries++
	if len(m.moods) == 0 {
		return nil
	}
	mood := m.moods[0]
	m.moods = m.moods[1:]
	return mood
}

func (m *moody) told() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]string{}, m.taken...)
}

func (m *moody) left() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return len(m.moods)
}

func answering(status int, body string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

var _ = Describe("a notifier", func() {
	It("that is slow, broken, down and moved holds no ticket up, and is told everything in order once it is well", func(ctx SpecContext) {
		release := make(chan struct{})
		slow := func(w http.ResponseWriter, r *http.Request) {
			<-release
			answering(http.StatusServiceUnavailable, "")(w, r)
		}
		lost := func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/moved", http.StatusFound) }
		moved := func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/moved", http.StatusPermanentRedirect)
		}
		cut := func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }
		bad := newMoody(slow, cut, answering(http.StatusOK, `{"code": `), lost, answering(http.StatusOK, `{"code": 7, "msg": "no"}`), moved)
		good := newMoody()

		ns := newNamespace(ctx)
		create(ctx, &corev1.Secret{
			ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: "chat", Labels: map[string]string{v1alpha1.LabelUse: string(v1alpha1.UseNotifier)}},
			StringData: map[string]string{"token": "s3cret"},
		})
		for name, receiver := range map[string]*moody{"bad": bad, "good": good} {
			create(ctx, &v1alpha1.Notifier{
				ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name},
				Spec: v1alpha1.NotifierSpec{Webhook: &v1alpha1.Webhook{
					URL: receiver.URL, TokenSecretRef: &v1alpha1.SecretKeyRef{Name: "chat", Key: "token"},
				}},
			})
		}
		w := fixtures.Workflow(ns)
		w.Spec.Notifications = &v1alpha1.Notifications{
			Notifiers: []v1alpha1.ObjectName{"bad", "good"}, Events: []v1alpha1.NoticeEvent{v1alpha1.NoticeDeliver},
		}
		t := fixtures.Ticket(ns, "vpn-1")
		t.Spec.Comment = "opened"
		create(ctx, w, t)
		inState(ctx, t, "lead")
		Eventually(bad.left).Should(Equal(5), "it is at its first request, and does not answer")

		Expect(act(ctx, t, v1alpha1.TicketAction{Type: v1alpha1.ActionDeliver, Actor: "zhangsan", Target: "guiji", Comment: "delivered"})).To(applied())
		Expect(act(ctx, t, v1alpha1.TicketAction{Type: v1alpha1.ActionComment, Actor: "lilei", Comment: "nobody is told of this"})).To(applied())
		Expect(act(ctx, t, v1alpha1.TicketAction{Type: v1alpha1.ActionTransition, Actor: "guiji", Transition: "approve", Comment: "approved"})).To(applied())
		other := fixtures.Ticket(ns, "vpn-2")
		other.Spec.Comment = "another"
		create(ctx, other)
		Eventually(good.told).Should(ContainElement("another"), "another ticket's notices do not wait")

		close(release)
		inOrder := []string{"opened", "delivered", "approved"}
		without := func(m *moody) func() []string {
			return func() (mine []string) {
				for _, comment := range m.told() {
					if comment != "another" {
						mine = append(mine, comment)
					}
				}
				return mine
			}
		}
		Eventually(without(good)).Should(Equal(inOrder))
		Eventually(without(bad)).Should(Equal(inOrder))
		Expect(bad.left()).To(BeZero())
		Eventually(bad.told).Should(ContainElement("another"))
		Eventually(get(ctx, t)).Should(HaveField("Status.Notified", ConsistOf(
			HaveField("Seq", BeNumerically(">=", 4)), HaveField("Seq", BeNumerically(">=", 4)),
		)))
	})
})
