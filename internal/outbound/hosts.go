// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package outbound

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"syscall"
)

// errForbidden marks what the operator does not allow.
var errForbidden = errors.New("not allowed")

// Forbidden says that an error is the operator's word: no attempt will succeed.
func Forbidden(err error) bool { return errors.Is(err, errForbidden) }

// hosts are those that requests may go to.
type hosts []string

// metadata are addresses at which clouds tell machines their secrets, besides
// the link-local ones.
var metadata = []netip.Addr{
	netip.MustParseAddr("fd00:ec2::254"), netip.MustParseAddr("100.100.100.200"), netip.MustParseAddr("192.0.0.192"),
	netip.MustParseAddr("168.63.129.16"),
}

// check looks at a URL before anything is sent.
func (h hosts) check(target *url.URL) error {
	if target.Scheme != "http" && target.Scheme != "https" {
		return fmt.Errorf("%w: only http and https are", errForbidden)
	}
	if !h.has(target.Hostname()) {
		return fmt.Errorf("%w: its host is not on the manager's --allow-hosts", errForbidden)
	}
	return nil
}

func (h hosts) has(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	return host != "" && slices.ContainsFunc(h, func(allowed string) bool { return matches(strings.ToLower(allowed), host) })
}

func matches(allowed, host string) bool {
	if suffix, ok := strings.CutPrefix(allowed, "*."); ok {
		return strings.HasSuffix(host, "."+suffix)
	}
	return allowed == "*" || allowed == host
}

// control looks at the very address that is dialled, so that neither DNS nor a
// redirect gets around the check.
func (h hosts) control(_, address string, _ syscall.RawConn) error {
	port, err := netip.ParseAddrPort(address)
	if err != nil {
		return fmt.Errorf("%w: the address cannot be read", errForbidden)
	}
	ip := carried(port.Addr().Unmap().WithZone(""))
	switch {
	case ip.IsLinkLocalUnicast(), ip.IsLinkLocalMulticast(), ip.IsInterfaceLocalMulticast(), ip.IsMulticast(), ip.IsUnspecified(), slices.Contains(metadata, ip):
		return fmt.Errorf("%w: the host resolves to a link-local, metadata or multicast address", errForbidden)
	case ip.IsLoopback() && !h.allowLoopback():
		return fmt.Errorf("%w: the host resolves to this machine", errForbidden)
	}
	return nil
}

// translated are the prefixes under which IPv6 carries IPv4 addresses, and where
// in those the address begins: NAT64, 6to4 and the old compatible ones. What
// is forbidden is so under them, too.
var translated = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12}, {netip.MustParsePrefix("2002::/16"), 2}, {netip.MustParsePrefix("::/96"), 12},
}

// carried is the IPv4 address that an IPv6 address carries; else the address itself.
func carried(ip netip.Addr) netip.Addr {
	if ip.Is4() || ip.IsLoopback() {
		return ip
	}
	for _, t := range translated {
		if t.prefix.Contains(ip) {
			bytes := ip.As16()
			return netip.AddrFrom4([4]byte(bytes[t.at : t.at+4]))
		}
	}
	return ip
}

// allowLoopback says whether the operator names this machine itself.
func (h hosts) allowLoopback() bool {
	return slices.ContainsFunc(h, func(allowed string) bool {
		ip, err := netip.ParseAddr(allowed)
		return strings.EqualFold(allowed, "localhost") || err == nil && ip.IsLoopback()
	})
}
