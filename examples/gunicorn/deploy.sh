#!/bin/sh
# Deploy a release: ./deploy.sh RELEASE [DIRECTORY]
# Copies DIRECTORY (./app) to releases/RELEASE, points `current` at it and, if
# hupwatch runs, reloads and waits until its probation is over. If the release is no
# good, hupwatch has kept the one before or gone back to it: then `current` points at
# that again. Ends with the exit code of `hupwatch reload`.
set -eu
cd "$(dirname "$0")"
release=releases/${1:?usage: ./deploy.sh RELEASE [DIRECTORY]}
hupwatch=${HUPWATCH:-../../bin/hupwatch}
command -v "$hupwatch" >/dev/null || hupwatch=hupwatch

mkdir -p releases
mkdir "$release" # fails for a release there is already: those never change
cp -R "${2:-app}/." "$release/"

# A link cannot be changed, only replaced: mv -T is one rename, so that there is
# a `current` at every instant. ln -sfn alone would remove it first.
point() {
	ln -sfn "$1" current.new
	mv -T current.new current
}
before=$(readlink current || true)
point "$release"

[ -e run/pid ] || exit 0 # it is what hupwatch will start with
code=0
"$hupwatch" reload --probation -c hupwatch.toml app || code=$?
case $code in
0) ;;
6) echo "deploy.sh: it is not known what became of it, current -> $release; look: $hupwatch why" >&2 ;;
*)
	if [ -n "$before" ]; then
		point "$before"
		echo "deploy.sh: $release does not serve, current -> $before again" >&2
	fi
	;;
esac
exit "$code"
