// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"ticketflow.dev/ticketflow/api/v1alpha1"
	"ticketflow.dev/ticketflow/internal/outbound"
)

// mailTime bounds how long handing a message over may take.
const mailTime = 20 * time.Second

// letter is a message by e-mail.
type letter struct {
	id, subject, body string
	to                []string
	at                time.Time
}

// mailOf writes a letter to people. Its id is the same whenever it is sent, so
// that who gets it twice can tell.
func mailOf(t *v1alpha1.Ticket, entry *v1alpha1.HistoryEntry, message Message, people []Person) letter {
	l := letter{
		id:      fmt.Sprintf("%s.%d@ticketflow", t.UID, entry.Seq),
		subject: strings.Join(strings.Fields(message.Title), " "), // of one line
		body:    message.Content, at: entry.Time.Time,
	}
	for _, person := range people {
		if person.Email != "" {
			l.to = append(l.to, person.Email)
		}
	}
	return l
}

// mail hands a letter to the notifier's server. A letter to nobody is no error:
// who has no address is not told this way.
func (r *Reconciler) mail(ctx context.Context, notifier *v1alpha1.Notifier, l letter) error {
	spec := notifier.Spec.Email
	l.to = append(l.to, spec.To...)
	if len(l.to) == 0 {
		return nil
	}
	client, err := r.mailClient(ctx, notifier)
	if err != nil {
		return err
	}
	message, err := l.message(spec.From)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, mailTime)
	defer cancel()
	return mailError(client.DialAndSendWithContext(ctx, message))
}

func (l letter) message(from string) (*gomail.Msg, error) {
	message := gomail.NewMsg()
	if err := message.From(from); err != nil {
		return nil, errors.New("spec.email.from is not an address")
	}
	if err := message.To(l.to...); err != nil {
		return nil, errors.New("one of the addresses it is to go to is none")
	}
	message.Subject(l.subject)
	message.SetBodyString(gomail.TypeTextPlain, l.body)
	message.SetMessageIDWithValue(l.id)
	message.SetDateWithValue(l.at)
	return message, nil
}

func (r *Reconciler) mailClient(ctx context.Context, notifier *v1alpha1.Notifier) (*gomail.Client, error) {
	spec := notifier.Spec.Email
	host, portText, err := net.SplitHostPort(spec.Server)
	port, portErr := strconv.Atoi(portText)
	if err != nil || portErr != nil {
		return nil, errors.New("spec.email.server is not host:port")
	}
	options := []gomail.Option{gomail.WithPort(port), gomail.WithTimeout(mailTime)}
	switch spec.TLS {
	case v1alpha1.TLSModeNone:
		options = append(options, gomail.WithTLSPolicy(gomail.NoTLS), gomail.WithDialContextFunc(r.Outbound.DialContext))
	case v1alpha1.TLSModeFromStart:
		options = append(options, gomail.WithSSL(), gomail.WithDialContextFunc(r.dialTLS))
	default:
		options = append(options, gomail.WithTLSPolicy(gomail.TLSMandatory), gomail.WithDialContextFunc(r.Outbound.DialContext))
	}
	username, err := r.secret(ctx, notifier, spec.UsernameSecretRef)
	if err != nil {
		return nil, err
	}
	password, err := r.secret(ctx, notifier, spec.PasswordSecretRef)
	if err != nil {
		return nil, err
	}
	if username != "" {
		options = append(options, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(username), gomail.WithPassword(password))
	}
	client, err := gomail.NewClient(host, options...)
	if err != nil {
		return nil, fmt.Errorf("prepare the message: %w", err)
	}
	return client, nil
}

// dialTLS is TLS from the first byte, to an allowed host.
func (r *Reconciler) dialTLS(ctx context.Context, network, address string) (net.Conn, error) {
	plain, err := r.Outbound.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	host, _, _ := net.SplitHostPort(address) // it was dialled
	secure := tls.Client(plain, &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = plain.Close()
		return nil, fmt.Errorf("set up TLS: %w", err)
	}
	return secure, nil
}

// mailError sorts what a mail server says: that it does not take this message,
// or anything else, after which another attempt may succeed.
func mailError(err error) error {
	if err == nil {
		return nil
	}
	if outbound.Forbidden(err) {
		return err
	}
	var refused *gomail.SendError
	if errors.As(err, &refused) && !refused.IsTemp() {
		return fmt.Errorf("the mail server does not take it: %s", outbound.Readable(err.Error(), ""))
	}
	return fmt.Errorf("%w: %s", outbound.ErrTryAgain, outbound.Readable(err.Error(), ""))
}
