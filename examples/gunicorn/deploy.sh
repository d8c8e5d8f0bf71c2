#!/bin/sh
# Deploy a release: ./deploy.sh RELEASE [DIRECTORY]
# Copies DIRECTORY (./app) to releases/RELEASE, points `current` at it and, if
# hupwatch runs, has it reload.
set -eu
cd "$(dirname "$0")"
release=releases/${1:?usage: ./deploy.sh RELEASE [DIRECTORY]}

mkdir -p releases
mkdir "$release" # fails for a release there is already: those never change
cp -R "${2:-app}/." "$release/"

# A link cannot be changed, only replaced: mv -T is one rename, so that there is
# a `current` at every instant. ln -sfn alone would remove it first.
ln -sfn "$release" current.new
mv -T current.new current

if [ -e run/pid ]; then
	kill -HUP "$(cat run/pid)"
fi
