// Copyright The Ticketflow Authors.
// SPDX-License-Identifier: Apache-2.0

package manager_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/pflag"

	"ticketflow.dev/ticketflow/controllers/manager"
)

func TestOptions(t *testing.T) {
	cases := map[string]struct {
		args []string
		want string
	}{
		"the defaults are sound":                {},
		"hosts may be given several times":      {args: []string{"--allow-hosts=a.example", "--allow-hosts=b.example"}},
		"an unknown time zone is named":         {args: []string{"--time-zone=Nowhere/Land"}, want: "--time-zone: unknown time zone Nowhere/Land"},
		"an unknown runner is named":            {args: []string{"--script-runner=magic"}, want: `--script-runner must be job or process, not "magic"`},
		"all that is wrong is named at once":    {args: []string{"--system-namespace=", "--script-dir="}, want: "--system-namespace must not be empty\n--script-dir must not be empty"},
		"a time zone is known on every machine": {args: []string{"--time-zone=Asia/Shanghai"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			options := manager.NewOptions()
			flags := pflag.NewFlagSet("manager", pflag.ContinueOnError)
			options.AddFlags(flags)
			if err := flags.Parse(c.args); err != nil {
				t.Fatal(err)
			}
			got := ""
			if err := errors.Join(options.Validate()...); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("unexpected problems (-want +got):\n%s", diff)
			}
		})
	}
}
