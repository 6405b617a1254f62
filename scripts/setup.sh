# shellcheck shell=sh
# SPDX-License-Identifier: BSD-3-Clause
#
# What ./demo and ./check share; sourced by them in the root of the source tree.

die() {
	echo "$(basename "$0"): $*" >&2
	exit 1
}

say() {
	echo "== $*"
}

# The names in scripts/packages that are for one of the purposes given.
packages_for() {
	for purpose; do
		awk -v purpose="$purpose" '$1 !~ /^#/ && $2 == purpose { print $1 }' scripts/packages
	done
}

is_installed() {
	[ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

# Install what is missing of the packages for the purposes given, and nothing else.
install_packages() {
	missing=
	for package in $(packages_for "$@"); do
		is_installed "$package" || missing="$missing $package"
	done
	[ "$missing" ] || return 0
	[ "$(id -u)" = 0 ] ||
		die "as root this would install what is missing; as $(id -un), first do:" \
			"apt-get install$missing"
	say "Installing$missing"
	# A repository that has nothing to do with this may be broken; what counts is the next step.
	apt-get -q update || say "Some package lists could not be read; going on with the others"
	# shellcheck disable=SC2086 # a list of words
	DEBIAN_FRONTEND=noninteractive apt-get -qy install --no-install-recommends $missing ||
		die "apt-get could not install$missing (see above)"
}

# Debian 12 on x86_64, with what every program expects to be there.
need_debian_12() {
	[ -r /etc/os-release ] && . /etc/os-release
	[ "${ID:-}" = debian ] && [ "${VERSION_ID:-}" = 12 ] ||
		die "this is for Debian 12 and takes its packages; here is ${PRETTY_NAME:-another system}"
	[ -e /proc/self/fd ] ||
		die "there is no /proc here, as in a bare chroot; as root: mount -t proc proc /proc"
	[ "$(uname -m)" = x86_64 ] || die "this is for x86_64; here is $(uname -m)"
}

# Make a build folder if there is none, with the compiler and options given.
# FOLDER COMPILER OPTION...
build_folder() {
	folder=$1 compiler=$2
	shift 2
	if [ -f "$folder/build.ninja" ]; then
		[ $# = 0 ] || meson configure "$folder" "$@"
	else
		CC=$compiler meson setup "$folder" "$@"
	fi
}
