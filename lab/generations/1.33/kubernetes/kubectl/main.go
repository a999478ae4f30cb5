// Command kubectl is itself alone: it is started some thousand times in a run of
// the tests, and with the daemons in its binary a start costs nearly twice as much.
package main

import (
	_ "lab/kube/english"

	"k8s.io/component-base/cli"
	kubectl "k8s.io/kubectl/pkg/cmd"
	kubectlutil "k8s.io/kubectl/pkg/cmd/util"
)

func main() {
	// It words its errors itself, unlike the daemons.
	if err := cli.RunNoErrOutput(kubectl.NewDefaultKubectlCommand()); err != nil {
		kubectlutil.CheckErr(err)
	}
}
