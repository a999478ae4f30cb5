# What xargs.sh runs on a member, over one connection; the manifest's end is put in by it.
set -e
kubectl apply -f - <<'END'
MANIFEST
END
until token=$(kubectl get secret MEMBER-token -o 'jsonpath={.data.token}') && [ -n "$token" ]; do :; done
echo "$token"
kubectl config view --raw --minify --flatten -o 'jsonpath={.clusters[0].cluster.server}'
kubectl config view --raw --minify --flatten -o 'jsonpath={.clusters[0].cluster.certificate-authority-data}'
