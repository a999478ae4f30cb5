"""What the API server of an old Kubernetes describes its objects with: before 1.24 it is not in the Go module."""

from pathlib import Path
from typing import Final

from lab.steps import run_logged
from lab.toolchain import ENVIRONMENT, find_go
from lab.versions import SOURCE

GENERATOR: Final = SOURCE / "go" / "openapi"
_PACKAGE: Final = "k8s.io/kubernetes/pkg/generated/openapi"
_NEWER_IMPORT: Final = '"k8s.io/kube-openapi/pkg/validation/spec"'
_OLDER_IMPORT: Final = '"github.com/go-openapi/spec"'


def generate_definitions(module: Path) -> None:
    """Put a Kubernetes module's dependencies into its folder `vendor`, and the definitions into them.

    Go builds nothing that lies over a file of its module cache, so they need a copy to be put into.
    """
    go, title = str(find_go()), "generating the API's definitions"
    generator, made = module / "openapi-gen", module / "definitions"
    build = [go, "build", "-o", str(generator), "k8s.io/kube-openapi/cmd/openapi-gen"]
    run_logged(title, build, log="openapi-build", cwd=GENERATOR, environment=ENVIRONMENT)
    (module / "header.txt").touch()
    argv = [
        str(generator),
        f"--output-dir={made}",
        f"--output-pkg={_PACKAGE}",
        "--output-file=zz_generated.openapi.go",
        f"--go-header-file={module / 'header.txt'}",
        f"--report-filename={module / 'report.txt'}",
        *(GENERATOR / "packages.txt").read_text().split(),
    ]
    # The generator is newer than the code it reads, which knows no aliases of types.
    old = {**ENVIRONMENT, "GODEBUG": "gotypesalias=0"}
    run_logged(title, argv, log="openapi", cwd=module, environment=old)
    run_logged(title, [go, "mod", "vendor"], log="openapi-vendor", cwd=module, environment=ENVIRONMENT)
    definitions = (made / "zz_generated.openapi.go").read_text().replace(_NEWER_IMPORT, _OLDER_IMPORT)
    (module / "vendor" / _PACKAGE / "zz_generated.openapi.go").write_text(definitions)
