// SPDX-FileCopyrightText: 2026 tracestack contributors
// SPDX-License-Identifier: GPL-3.0-or-later

// The three programs of cert-manager in one binary; which of them it is, its name says.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	cainjector "github.com/jetstack/cert-manager/cmd/cainjector/app"
	controller "github.com/jetstack/cert-manager/cmd/controller/app"
	"github.com/jetstack/cert-manager/cmd/util"
	webhook "github.com/jetstack/cert-manager/cmd/webhook/app"
	logf "github.com/jetstack/cert-manager/pkg/logs"
	"github.com/spf13/cobra"
	ctrl "sigs.k8s.io/controller-runtime"
)

func main() {
	stop, exit := util.SetupExitHandler(util.GracefulShutdown)
	defer exit()
	logf.InitLogs(flag.CommandLine)
	defer logf.FlushLogs()
	ctrl.SetLogger(logf.Log)
	var command *cobra.Command
	switch filepath.Base(os.Args[0]) {
	case "controller":
		command = controller.NewCommandStartCertManagerController(stop)
	case "webhook":
		command = webhook.NewServerCommand(stop)
	case "cainjector":
		context := util.ContextWithStopCh(context.Background(), stop)
		command = cainjector.NewCommandStartInjectorController(context, os.Stdout, os.Stderr)
	default:
		fmt.Fprintln(os.Stderr, "Call this by a name that is controller, webhook or cainjector.")
		util.SetExitCode(fmt.Errorf("no such program"))
		return
	}
	command.Flags().AddGoFlagSet(flag.CommandLine)
	_ = flag.CommandLine.Parse(nil) // cobra reads the arguments; the logger wants to see this set parsed
	if err := command.Execute(); err != nil {
		logf.Log.Error(err, "it ended with an error")
		util.SetExitCode(err)
	}
}
